"""The retry queue: a fold of `outcomes`, written by drain alone, one commit a tick."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from pipeline.core.fold import OutcomeRow, Waiting, barred
from pipeline.core.records import RETRY_QUEUE
from pipeline.tables import outcomes
from pipeline.tables.layout import Layout

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
class QueueState:
    """The queue at one version: all that a barrier needs of it."""

    positions: Positions
    waiting: pa.Table
    """message_id, entity_hash, queued_version, position, number."""
    erased: frozenset[bytes]
    """Entity hashes with a lasting mark."""


def positions(spark: SparkSession, where: Layout) -> Positions:
    """The positions in the queue's newest version."""
    row = (
        where.place(RETRY_QUEUE)
        .read(spark)
        .where(F.col("kind") == "position")
        .agg(F.max("outcomes_position").alias("o"), F.max("commands_position").alias("c"))
        .first()
    )
    return Positions(
        outcomes=row["o"] if row is not None and row["o"] is not None else 0,
        commands=row["c"] if row is not None and row["c"] is not None else 0,
    )


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


def take_in(spark: SparkSession, where: Layout, at: Positions, commands_position: int) -> bool:
    """Take in all outcomes after the position; whether there was anything to commit.

    Outcomes that concern no waiting message need no commit: the position stays behind them, up
    to `LAG` commits.
    """
    rows = outcomes.message_rows(spark, where, at.outcomes)
    found = rows.agg(F.count("*").alias("rows"), F.max("_commit_version").alias("upto")).first()
    if found is not None and found["rows"]:
        upto = int(found["upto"])
        rows = outcomes.message_rows(spark, where, at.outcomes, upto)
        folded = _folded(rows)
        if found["rows"] <= LOCAL_ROWS:
            folded = spark.createDataFrame(folded.toArrow(), folded.schema)
        _merge(spark, where, folded, upto, commands_position)
        return True
    newest = outcomes.version(spark, where) if commands_position == at.commands else None
    if newest is not None and newest - at.outcomes < LAG:
        return False
    newest = outcomes.version(spark, where) if newest is None else newest
    # Between the two reads somebody may have queued a message: the position must stay before it.
    if outcomes.message_rows(spark, where, at.outcomes, newest).isEmpty():
        _merge(spark, where, None, newest, commands_position)
    return True


def _merge(
    spark: SparkSession, where: Layout, folded: DataFrame | None, upto: int, commands_position: int
) -> None:
    """Rows and positions in one commit; the same fold as `core.fold`, set-wise."""
    position = spark.range(1).select(
        F.lit("position").alias("merge_kind"),
        F.lit(None).cast("string").alias("merge_id"),
        F.lit(upto).cast("bigint").alias("outcomes_position"),
        F.lit(commands_position).cast("bigint").alias("commands_position"),
    )
    source = position if folded is None else position.unionByName(folded, True)
    source = _completed(source)
    same = "q.kind = s.merge_kind AND (q.kind = 'position' OR q.message_id = s.merge_id)"
    rescheduled: dict[str, str | Column] = {column: f"s.{column}" for column in _RESCHEDULED}
    replaced: dict[str, str | Column] = {
        column: f"s.{column}" for column in (*_COPIED, "queued_version", "queued_at")
    }
    (
        where.place(RETRY_QUEUE)
        .delta(spark)
        .alias("q")
        .merge(source.alias("s"), f"q.kind IN ('message', 'position') AND {same}")
        .whenMatchedUpdate(
            "s.merge_kind = 'position'",
            {c: f"s.{c}" for c in ("outcomes_position", "commands_position")},
        )
        .whenMatchedDelete("s.last_kind <> 'queued'")
        .whenMatchedUpdate("s.was_removed", replaced)
        .whenMatchedUpdate(None, rescheduled)
        .whenNotMatchedInsert(
            "s.merge_kind = 'position' OR s.last_kind = 'queued'",
            {
                "kind": "s.merge_kind",
                **replaced,
                "outcomes_position": "s.outcomes_position",
                "commands_position": "s.commands_position",
            },
        )
        .execute()
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
    }
    missing = [name for name in wanted if name not in source.columns]
    return source.select("*", *(F.lit(None).cast(wanted[name]).alias(name) for name in missing))


def due(spark: SparkSession, where: Layout, now: datetime, limit: int) -> DataFrame | None:
    """Messages to send now, whole runs of entities whose head is due; None when there are none.

    At most about *limit* messages: entities that have waited longest come first, and a run is
    never cut. Heads are found in narrow columns; payloads are read for due entities only.
    """
    table = where.place(RETRY_QUEUE).read(spark).where(F.col("kind") != "position")
    message = F.col("kind") == "message"
    order = F.struct("queued_version", "position")
    heads = (
        table.groupBy("entity_hash")
        .agg(
            F.min_by(F.when(message, F.struct("next_attempt_at")), F.when(message, order)).alias(
                "head"
            ),
            F.min("queued_version").alias("since"),
            F.count_if(message).alias("run"),
            F.count_if(F.col("kind") == "erased").alias("erased"),
        )
        .where((F.col("run") > 0) & (F.col("erased") == 0))
        .where(F.expr("head.next_attempt_at IS NULL") | (F.col("head.next_attempt_at") <= now))
        .orderBy("since", "entity_hash")
        .limit(limit)
        .select("entity_hash", "run")
        .collect()
    )
    chosen: list[tuple[bytearray]] = []
    messages = 0
    for head in heads:
        if messages >= limit:
            break
        chosen.append((bytearray(head["entity_hash"] or b""),))
        messages += head["run"]
    if not chosen:
        return None
    keys = spark.createDataFrame(chosen, "chosen binary")
    entity = F.coalesce(F.col("entity_hash"), F.lit(b""))
    return table.where(message).join(F.broadcast(keys), entity == F.col("chosen"), "leftsemi")
