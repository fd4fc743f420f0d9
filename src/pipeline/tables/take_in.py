"""Take outcomes into the retry queue: `core.fold`, set-wise, in one commit with the new position.

There are four ways to the same queue, by what is taken in:

- what was queued at its first try waits nowhere yet: it is *put*, an append;
- what has ended is *struck*: its files are found, and rewritten without it;
- where that is much of the queue, the rest of it is *kept*, and all of it rewritten;
- anything else is *merged*, which takes two to four times as long.

Each reads the position in the transaction that moves it, so that a commit by somebody who has taken
in the same outcomes meanwhile makes this one fail.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from pipeline.core.erasure import REQUESTED
from pipeline.core.packed import COLUMNS as PACKED
from pipeline.core.packed import COUNT, unpack
from pipeline.core.records import RETRY_QUEUE
from pipeline.tables import outcomes
from pipeline.tables.layout import Layout
from pipeline.tables.place import assignments, insertion
from pipeline.tables.retry_queue import KINDS, Positions, rows_of
from pipeline.tables.session import compile_or_interpret
from pipeline.tables.unpacked import each_of

_RESCHEDULED: Final = (
    "number", "attempts", "stage", "reason", "detail", "next_attempt_at", "payload",
    "payload_key_id",
)  # fmt: skip
_COPIED: Final = (
    "message_id", "feed", "source_version", "call_number", "call_type", "event", "entity_hash",
    "position", "committed_at", *_RESCHEDULED,
)  # fmt: skip
_MOVED: Final = ("outcomes_position", "commands_position")
_POSITION: Final = {column: f"s.{column}" for column in _MOVED}
_TYPES: Final = {column.name: column.type for column in RETRY_QUEUE.columns}
_IS_POSITION: Final = "s.merge_kind = 'position'"
# The position has no message id. An OR instead would leave the kind alone to join by: then each
# row of the queue is held against each that is taken in.
_SAME: Final = (
    f"q.kind IN ({', '.join(map(repr, KINDS))}) "
    "AND q.kind = s.merge_kind AND q.message_id <=> s.merge_id"
)

LOCAL_ROWS = 20_000
"""So many rows are folded from this process's memory, which spares Spark reading them twice."""
KEPT_FROM = 5_000
"""From so many ended messages on it is asked whether they are much of the queue."""
MUCH: Final = 0.3
"""Of the queue, from which on rewriting all of it takes less than finding files."""
COMPARED_ROWS: Final = 1_000_000
"""Ids of so many ended messages this process compares itself, in some 200 MB: a tick's slices
mostly have no more. Spark's join takes longer."""
NAMED_ROWS: Final = 200_000
"""So many ended messages are named to Spark as a table that each of its tasks gets whole."""
POSITION_ROWS: Final = 20
"""A put adds a row with the position; after so many a merge makes one of them again."""
LAG: Final = 50
"""Commits of outcomes that concern no waiting message are skipped in one go after so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What outcomes have that is to be taken in."""

    messages: int
    """Outcomes of messages: a message may have several."""
    upto: int
    """Commit of the newest of them."""
    highest: int
    """Highest number of an outcome: 1 where all were queued at their first try."""
    queued: int
    """Of *messages*; the others are ends."""
    requests: int
    """To erase: each leaves its mark in the same commit."""
    emptied: bool = False
    """Nothing waits any more once they are taken in, as is known; elsewhere it is not asked."""


def _find(spark: SparkSession, where: Layout, at: Positions) -> Found | None:
    """What is to be taken in after the position; None where nothing is."""
    row = (
        outcomes.concerning_queue(spark, where, at.outcomes)
        .agg(
            F.sum(F.coalesce(COUNT, F.lit(1))).alias("messages"),
            F.max("_commit_version").alias("upto"),
            F.max("number").alias("highest"),
            F.count_if(F.col("kind") == "queued").alias("queued"),
            F.count_if(F.col("reason") == REQUESTED).alias("requests"),
        )
        .first()
    )
    return Found(**row.asDict()) if row is not None and row["messages"] else None


def take_in(
    spark: SparkSession,
    where: Layout,
    at: Positions,
    commands_position: int,
    lifted: Sequence[str] = (),
) -> Found | None:
    """Take in all outcomes after the position *at*, and say what they were, if there are any.

    The marks of the requests *lifted* go. Outcomes that concern no waiting message need no commit:
    the position stays behind them, up to `LAG` commits.

    Raises:
        SparkRuntimeException: the position is not *at* any more; nothing was committed.
    """
    found = _find(spark, where, at)
    if found is None:
        upto = _skipped(spark, where, at, commands_position)
        if upto is None:
            return None
    else:
        upto = found.upto
    to = Positions(outcomes=upto, commands=commands_position)
    emptied = _commit(spark, where, at, to, found, lifted)
    return None if found is None else replace(found, emptied=emptied)


def _commit(
    spark: SparkSession,
    where: Layout,
    at: Positions,
    to: Positions,
    found: Found | None,
    lifted: Sequence[str],
) -> bool:
    """Choose the way, and go it; whether the queue is known to be empty then."""
    position = _position(spark, where, at, to)
    if found is None:
        _merge(spark, where, at, position, None, found, lifted)
        return False
    compile_or_interpret(spark, found.messages)
    rows = outcomes.concerning_queue(spark, where, at.outcomes, to.outcomes)
    if found.requests or lifted or at.rows > POSITION_ROWS:
        _merge(spark, where, at, position, rows, found, lifted)
    elif found.highest == 1:
        _put(where, position, rows)
    elif found.queued or not at.rows:
        _merge(spark, where, at, position, rows, found)
    elif found.messages < KEPT_FROM or found.messages < MUCH * (
        waiting := rows_of(spark, where, "message").count()
    ):
        _strike(spark, where, at, position, _ended(rows, found))
    else:
        return _keep(spark, where, position, rows, found, waiting)
    return False


def _skipped(
    spark: SparkSession, where: Layout, at: Positions, commands_position: int
) -> int | None:
    """Where the position goes though nothing was found; None: it stays."""
    newest = outcomes.version(spark, where)
    if commands_position == at.commands and newest - at.outcomes < LAG:
        return None
    # Between the two reads somebody may have queued a message: the position must stay before it.
    if not outcomes.concerning_queue(spark, where, at.outcomes, newest).isEmpty():
        return None if commands_position == at.commands else at.outcomes
    return newest


def _position(spark: SparkSession, where: Layout, at: Positions, to: Positions) -> DataFrame:
    """One row, the position *to*: read from the table, where it must be *at*."""
    found = F.coalesce(F.max("outcomes_position"), F.lit(0))
    moved = F.concat(
        F.lit("retry_queue: its position is "),
        found,
        F.lit(f", not {at.outcomes}: another drain has taken in meanwhile; this one starts anew"),
    )
    return rows_of(spark, where, "position").agg(
        F.when(found == at.outcomes, F.lit(to.outcomes))
        .otherwise(F.raise_error(moved).cast("bigint"))
        .alias("outcomes_position"),
        F.lit(to.commands).cast("bigint").alias("commands_position"),
    )


def _waiting_still(spark: SparkSession, where: Layout, ends: DataFrame, found: Found) -> DataFrame:
    """What waits and has not ended."""
    same = F.col("message_id") == F.col("merge_id")
    return rows_of(spark, where, "message").join(_ended(ends, found), same, "left_anti")


def _all_ended(
    spark: SparkSession, where: Layout, ends: DataFrame, found: Found, waiting: int
) -> bool:
    """Whether all of the messages that wait, so many, have ended."""
    if found.messages < waiting:
        return False
    if found.messages > COMPARED_ROWS:
        return _waiting_still(spark, where, ends, found).select("message_id").isEmpty()
    ids = rows_of(spark, where, "message").select("message_id").toArrow()["message_id"]
    ended = unpack(ends.select("message_id", *PACKED).toArrow())["message_id"]
    return bool(pc.all(pc.is_in(ids, ended), min_count=0).as_py())


def _ended(ends: DataFrame, found: Found) -> DataFrame:
    """Their ids; one that died and was discarded has ended twice."""
    each = each_of(ends.select("message_id", "entity_hash", *PACKED))
    ids = each.select(F.lit("message").alias("merge_kind"), F.col("message_id").alias("merge_id"))
    return F.broadcast(ids) if found.messages <= NAMED_ROWS else ids


def _put(where: Layout, position: DataFrame, rows: DataFrame) -> None:
    """Append messages that were queued at their first try, of which each has one row."""
    put = rows.withColumns(_first_queued(F.col("_commit_version")))
    where.place(RETRY_QUEUE).append(_both(put, position))


def _keep(
    spark: SparkSession,
    where: Layout,
    position: DataFrame,
    ends: DataFrame,
    found: Found,
    waiting: int,
) -> bool:
    """Write what waits still, and the position, in place of all messages and positions.

    Mostly nothing waits any more, which is returned: then no payload is read.
    """
    emptied = _all_ended(spark, where, ends, found, waiting)
    rows = _of_the_queue("position", position)
    if not emptied:
        rows = _both(_waiting_still(spark, where, ends, found), position)
    where.place(RETRY_QUEUE).replace(rows, "kind IN ('message', 'position')")
    return emptied


def _strike(
    spark: SparkSession, where: Layout, at: Positions, position: DataFrame, ended: DataFrame
) -> None:
    """Find the files with messages that have ended, and rewrite these files without them."""
    named = _named_position(position)
    source = ended.distinct().unionByName(named, allowMissingColumns=True)
    where.place(RETRY_QUEUE).merge(
        spark, source, f"ON {_SAME} {_moves(at)} WHEN MATCHED THEN DELETE"
    )


def _merge(
    spark: SparkSession,
    where: Layout,
    at: Positions,
    position: DataFrame,
    rows: DataFrame | None,
    found: Found | None,
    lifted: Sequence[str] = (),
) -> None:
    """Find the files of what is taken in, and rewrite these; marks are set and lifted."""
    source = _named_position(position)
    if rows is not None and found is not None:
        folded = _folded(each_of(rows))
        if found.messages <= LOCAL_ROWS:
            folded = spark.createDataFrame(folded.toArrow(), folded.schema)
        source = source.unionByName(folded, True)
        if found.requests:
            source = source.unionByName(_marks(folded), True)
    if lifted:
        gone = spark.createDataFrame([(one,) for one in lifted], "merge_id string")
        gone = gone.selectExpr("'erased' AS merge_kind", "merge_id", "'lifted' AS last_kind")
        source = source.unionByName(gone, True)
    source = _completed(source)
    a_mark = "q.kind = 'erased'"
    rescheduled = {column: f"s.{column}" for column in _RESCHEDULED}
    replaced = {column: f"s.{column}" for column in (*_COPIED, "queued_version", "queued_at")}
    new = {"kind": "s.merge_kind", **replaced, **_POSITION, "marked_at": "s.marked_at"}
    where.place(RETRY_QUEUE).merge(
        spark,
        source,
        f"""ON {_SAME} {_moves(at)}
        WHEN MATCHED AND s.last_kind <> 'queued' THEN DELETE
        WHEN MATCHED AND {a_mark} THEN UPDATE SET q.marked_at = q.marked_at
        WHEN MATCHED AND s.was_removed THEN UPDATE SET {assignments(replaced)}
        WHEN MATCHED THEN UPDATE SET {assignments(rescheduled)}
        WHEN NOT MATCHED AND ({_IS_POSITION} OR s.last_kind = 'queued')
        THEN INSERT {insertion(new)}""",
    )


def _named_position(position: DataFrame) -> DataFrame:
    return position.select(
        F.lit("position").alias("merge_kind"), F.lit(None).cast("string").alias("merge_id"), *_MOVED
    )


def _moves(at: Positions) -> str:
    """Clauses of a MERGE that make one row with the position of all of them."""
    return f"""WHEN MATCHED AND {_IS_POSITION} AND q.outcomes_position < {at.outcomes} THEN DELETE
        WHEN MATCHED AND {_IS_POSITION} THEN UPDATE SET {assignments(_POSITION)}"""


def _marks(folded: DataFrame) -> DataFrame:
    """A mark for each request to erase among the newest outcomes."""
    is_request = (F.col("last_kind") == "queued") & (F.col("reason") == REQUESTED)
    return folded.where(is_request & F.col("entity_hash").isNotNull()).select(
        F.lit("erased").alias("merge_kind"),
        "merge_id",
        "last_kind",
        F.lit(None).cast("boolean").alias("was_removed"),
        F.col("merge_id").alias("message_id"),
        "feed",
        "entity_hash",
        F.current_timestamp().alias("marked_at"),
    )


def _folded(rows: DataFrame) -> DataFrame:
    """One row a message: its newest outcome, and the commit that queued it."""
    newest = Window.partitionBy("message_id").orderBy(F.desc("_commit_version"), F.desc("number"))
    whole = Window.partitionBy("message_id")
    ended = F.when(F.col("kind") != "queued", F.col("_commit_version"))
    queued_after = F.when(
        (F.col("kind") == "queued")
        & (F.col("_commit_version") > F.coalesce(F.col("last_end"), F.lit(-1))),
        F.col("_commit_version"),
    )
    return (
        rows.withColumn("last_end", F.max(ended).over(whole))
        .withColumn("first_queued", F.min(queued_after).over(whole))
        .withColumn("newest", F.row_number().over(newest))
        .where(F.col("newest") == 1)
        .withColumns(_first_queued(F.col("first_queued")))
        .select(
            F.lit("message").alias("merge_kind"),
            F.col("message_id").alias("merge_id"),
            F.col("kind").alias("last_kind"),
            F.col("last_end").isNotNull().alias("was_removed"),
            *_COPIED,
            "queued_version",
            "queued_at",
        )
    )


def _first_queued(version: Column) -> dict[str, Column]:
    """What the queue says of when a message came into it."""
    return {"queued_version": version, "queued_at": F.col("recorded_at")}


def _both(messages: DataFrame, position: DataFrame) -> DataFrame:
    """Messages and the position, as rows of the queue."""
    return _of_the_queue("message", messages).unionByName(_of_the_queue("position", position))


def _of_the_queue(kind: str, rows: DataFrame) -> DataFrame:
    """All columns of the queue, in their order and type; what *rows* lacks is null."""
    there = {**{name: F.col(name) for name in rows.columns}, "kind": F.lit(kind)}
    return rows.select(
        *(there.get(name, F.lit(None)).cast(type_).alias(name) for name, type_ in _TYPES.items())
    )


def _completed(source: DataFrame) -> DataFrame:
    """All columns that the MERGE names, whether or not a message is among the rows."""
    wanted = {
        **{name: _TYPES[name] for name in (*_COPIED, "queued_version", "queued_at")},
        "last_kind": "string",
        "was_removed": "boolean",
        "marked_at": "timestamp",
    }
    missing = [name for name in wanted if name not in source.columns]
    return source.select("*", *(F.lit(None).cast(wanted[name]).alias(name) for name in missing))
