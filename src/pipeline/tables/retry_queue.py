"""The retry queue: a fold of `outcomes`, written by drain alone, one commit a tick."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from pipeline.core.erasure import REQUESTED
from pipeline.core.fold import OutcomeRow, Waiting, barred
from pipeline.core.records import RETRY_QUEUE
from pipeline.tables import outcomes
from pipeline.tables.layout import Layout
from pipeline.tables.place import assignments, insertion

_COPIED = (
    "message_id", "feed", "source_version", "call_number", "call_type", "event", "entity_hash",
    "number", "attempts", "position", "stage", "reason", "detail", "next_attempt_at", "payload",
    "payload_key_id", "committed_at",
)  # fmt: skip
_RESCHEDULED = (
    "number", "attempts", "stage", "reason", "detail", "next_attempt_at", "payload",
    "payload_key_id",
)  # fmt: skip


KINDS = ("message", "position", "erased")
_SQL_KINDS = ", ".join(f"'{kind}'" for kind in KINDS)

LOCAL_ROWS = 20_000
"""So many rows are folded from this process's memory, which spares Spark reading them twice."""
LAG = 50
"""Commits of outcomes that concern no waiting message are skipped in one go after so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """How far the queue has taken in what."""

    outcomes: int
    commands: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A person or object that was erased, by the request that did it."""

    message_id: str
    """Of the request: the call that deletes."""
    entity_hash: bytes
    marked_at: datetime
    stage: str | None
    """Null: under way; refused: the call is a dead letter; done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """The queue at one version: all that a barrier needs of it."""

    positions: Positions
    waiting: pa.Table
    """message_id, entity_hash, queued_version, position, number."""
    erased: frozenset[bytes]
    """Entity hashes with a lasting mark."""


def heads(spark: SparkSession, where: Layout) -> tuple[Positions, tuple[Mark, ...]]:
    """The positions and the marks in the queue's newest version."""
    rows = (
        where.place(RETRY_QUEUE)
        .read(spark)
        .where(F.col("kind").isin("position", "erased"))
        .select(
            "kind", "outcomes_position", "commands_position", "message_id", "entity_hash",
            "marked_at", "stage",
        )
        .collect()
    )  # fmt: skip
    places = [row for row in rows if row["kind"] == "position"]
    marks = [
        Mark(
            message_id=row["message_id"],
            entity_hash=bytes(row["entity_hash"]),
            marked_at=row["marked_at"],
            stage=row["stage"],
        )
        for row in rows
        if row["kind"] == "erased"
    ]
    at = Positions(
        outcomes=max((row["outcomes_position"] or 0 for row in places), default=0),
        commands=max((row["commands_position"] or 0 for row in places), default=0),
    )
    return at, tuple(marks)


def positions(spark: SparkSession, where: Layout) -> Positions:
    """The positions in the queue's newest version."""
    return heads(spark, where)[0]


def pinned(spark: SparkSession, where: Layout, version: int | None = None) -> QueueState:
    """The queue at one version, or its newest: positions, messages and marks belong together."""
    rows = (
        where.place(RETRY_QUEUE)
        .read(spark, version)
        .select(
            "kind",
            "message_id",
            "entity_hash",
            "queued_version",
            "position",
            "number",
            "outcomes_position",
            "commands_position",
        )
        .toArrow()
    )
    of_kind = {kind: rows.filter(pc.equal(rows["kind"], kind)) for kind in KINDS}
    place = of_kind["position"]
    return QueueState(
        positions=Positions(
            outcomes=pc.max(place["outcomes_position"]).as_py() or 0,
            commands=pc.max(place["commands_position"]).as_py() or 0,
        ),
        waiting=of_kind["message"],
        erased=frozenset(of_kind["erased"]["entity_hash"].to_pylist()),
    )


def erased(spark: SparkSession, where: Layout, version: int) -> frozenset[bytes]:
    """Entity hashes with a lasting mark, at one version of the queue."""
    marks = where.place(RETRY_QUEUE).read(spark, version).where(F.col("kind") == "erased")
    return frozenset(marks.select("entity_hash").toArrow()["entity_hash"].to_pylist())


def barred_entities(state: QueueState, rows: Sequence[OutcomeRow]) -> frozenset[bytes]:
    """Entities with a message waiting: the queue, with the outcomes after its position on top.

    Only messages that have such an outcome are folded one by one.
    """
    named = pa.array({row.message_id for row in rows}, pa.string())
    touched = pc.is_in(state.waiting["message_id"], named)
    untouched = pc.unique(state.waiting.filter(pc.invert(touched))["entity_hash"])
    folded = barred(as_waiting(state.waiting.filter(touched)), rows)
    return folded | frozenset(hash_ or b"" for hash_ in untouched.to_pylist())


def as_waiting(table: pa.Table) -> dict[str, Waiting]:
    """Rows of `QueueState.waiting` as values of the core, by message id."""
    return {
        row["message_id"]: Waiting(
            message_id=row["message_id"],
            entity_hash=row["entity_hash"] or b"",
            queued_version=row["queued_version"],
            position=row["position"],
            number=row["number"],
        )
        for row in table.to_pylist()
    }


def take_in(
    spark: SparkSession,
    where: Layout,
    at: Positions,
    commands_position: int,
    lifted: Sequence[str] = (),
) -> bool:
    """Take in all outcomes after the position; whether there was anything to commit.

    A request to erase that is among them leaves its mark in the same commit; the marks of the
    requests *lifted* go. Outcomes that concern no waiting message need no commit: the position
    stays behind them, up to `LAG` commits.
    """
    rows = outcomes.message_rows(spark, where, at.outcomes)
    found = rows.agg(
        F.count("*").alias("rows"),
        F.max("_commit_version").alias("upto"),
        F.count_if(F.col("reason") == REQUESTED).alias("requests"),
    ).first()
    if found is not None and found["rows"]:
        upto = int(found["upto"])
        rows = outcomes.message_rows(spark, where, at.outcomes, upto)
        folded = _folded(rows)
        if found["rows"] <= LOCAL_ROWS:
            folded = spark.createDataFrame(folded.toArrow(), folded.schema)
        if found["requests"]:
            folded = folded.unionByName(_marks(folded), True)
        _merge(spark, where, folded, upto, commands_position, lifted)
        return True
    newest = outcomes.version(spark, where) if commands_position == at.commands else None
    if newest is not None and newest - at.outcomes < LAG:
        return False
    newest = outcomes.version(spark, where) if newest is None else newest
    # Between the two reads somebody may have queued a message: the position must stay before it.
    if outcomes.message_rows(spark, where, at.outcomes, newest).isEmpty():
        _merge(spark, where, None, newest, commands_position, lifted)
    return True


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


def _merge(
    spark: SparkSession,
    where: Layout,
    folded: DataFrame | None,
    upto: int,
    commands_position: int,
    lifted: Sequence[str] = (),
) -> None:
    """Rows and positions in one commit; the same fold as `core.fold`, set-wise."""
    position = spark.range(1).select(
        F.lit("position").alias("merge_kind"),
        F.lit(None).cast("string").alias("merge_id"),
        F.lit(upto).cast("bigint").alias("outcomes_position"),
        F.lit(commands_position).cast("bigint").alias("commands_position"),
    )
    source = position if folded is None else position.unionByName(folded, True)
    if lifted:
        gone = spark.createDataFrame([(one,) for one in lifted], "merge_id string")
        gone = gone.selectExpr("'erased' AS merge_kind", "merge_id", "'lifted' AS last_kind")
        source = source.unionByName(gone, True)
    source = _completed(source)
    # The position has no message id. An OR instead would leave the kind alone to join by: then each
    # row of the queue is held against each that is taken in.
    same = "q.kind = s.merge_kind AND q.message_id <=> s.merge_id"
    a_mark = "q.kind = 'erased'"
    rescheduled = {column: f"s.{column}" for column in _RESCHEDULED}
    replaced = {column: f"s.{column}" for column in (*_COPIED, "queued_version", "queued_at")}
    moved = {column: f"s.{column}" for column in ("outcomes_position", "commands_position")}
    new = {"kind": "s.merge_kind", **replaced, **moved, "marked_at": "s.marked_at"}
    where.place(RETRY_QUEUE).merge(
        spark,
        source,
        f"""ON q.kind IN ({_SQL_KINDS}) AND {same}
        WHEN MATCHED AND s.merge_kind = 'position' THEN UPDATE SET {assignments(moved)}
        WHEN MATCHED AND s.last_kind <> 'queued' THEN DELETE
        WHEN MATCHED AND {a_mark} THEN UPDATE SET q.marked_at = q.marked_at
        WHEN MATCHED AND s.was_removed THEN UPDATE SET {assignments(replaced)}
        WHEN MATCHED THEN UPDATE SET {assignments(rescheduled)}
        WHEN NOT MATCHED AND (s.merge_kind = 'position' OR s.last_kind = 'queued')
        THEN INSERT {insertion(new)}""",
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
        .withColumn("queued_version", F.min(queued_after).over(whole))
        .withColumn("newest", F.row_number().over(newest))
        .where(F.col("newest") == 1)
        .select(
            F.lit("message").alias("merge_kind"),
            F.col("message_id").alias("merge_id"),
            F.col("kind").alias("last_kind"),
            F.col("last_end").isNotNull().alias("was_removed"),
            *_COPIED,
            "queued_version",
            F.col("recorded_at").alias("queued_at"),
        )
    )


def _completed(source: DataFrame) -> DataFrame:
    """All columns that the MERGE names, whether or not a message is among the rows."""
    types = {c.name: c.type for c in RETRY_QUEUE.columns}
    wanted = {
        **{name: types[name] for name in (*_COPIED, "queued_version", "queued_at")},
        "last_kind": "string",
        "was_removed": "boolean",
        "marked_at": "timestamp",
    }
    missing = [name for name in wanted if name not in source.columns]
    return source.select("*", *(F.lit(None).cast(wanted[name]).alias(name) for name in missing))
