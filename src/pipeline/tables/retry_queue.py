"""The retry queue: a fold of `outcomes`, written by drain alone, one commit a tick."""

from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from pipeline.core.fold import Waiting
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


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """The queue at one pinned version: how far it has taken in what."""

    version: int
    outcomes_position: int
    commands_position: int


def pinned(spark: SparkSession, where: Layout) -> QueueState:
    """The newest version of the queue and the positions in it."""
    place = where.place(RETRY_QUEUE)
    version = place.version(spark)
    row = (
        place.read(spark, version)
        .where(F.col("kind") == "position")
        .agg(F.max("outcomes_position").alias("o"), F.max("commands_position").alias("c"))
        .first()
    )
    outcomes_position = row["o"] if row is not None and row["o"] is not None else 0
    commands_position = row["c"] if row is not None and row["c"] is not None else 0
    return QueueState(
        version=version, outcomes_position=outcomes_position, commands_position=commands_position
    )


def waiting_entities(spark: SparkSession, where: Layout, state: QueueState) -> dict[str, Waiting]:
    """All messages that wait, narrow, by id: for the barrier's fold."""
    rows = (
        where.place(RETRY_QUEUE)
        .read(spark, state.version)
        .where(F.col("kind") == "message")
        .select("message_id", "entity_hash", "queued_version", "position", "number")
        .toArrow()
    )
    return {
        row["message_id"]: Waiting(
            message_id=row["message_id"],
            entity_hash=bytes(row["entity_hash"] or b""),
            queued_version=row["queued_version"],
            position=row["position"],
            number=row["number"],
        )
        for row in rows.to_pylist()
    }


def erased_entities(spark: SparkSession, where: Layout, state: QueueState) -> frozenset[bytes]:
    """Entity hashes with a lasting mark."""
    rows = (
        where.place(RETRY_QUEUE)
        .read(spark, state.version)
        .where(F.col("kind") == "erased")
        .select("entity_hash")
        .collect()
    )
    return frozenset(bytes(row[0]) for row in rows)


def take_in(
    spark: SparkSession, where: Layout, state: QueueState, upto: int, commands_position: int
) -> None:
    """Fold all rows of `outcomes` after the position into the queue, set-wise as `core.fold` does.

    One commit holds the rows and the new position.
    """
    rows = outcomes.message_rows(spark, where, state.outcomes_position, upto)
    position = spark.range(1).select(
        F.lit("position").alias("merge_kind"),
        F.lit(None).cast("string").alias("merge_id"),
        F.lit(upto).cast("bigint").alias("outcomes_position"),
        F.lit(commands_position).cast("bigint").alias("commands_position"),
    )
    source = position if rows is None else position.unionByName(_folded(rows), True)
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


def due(
    spark: SparkSession, where: Layout, state: QueueState, now: datetime, limit: int
) -> DataFrame | None:
    """Messages to send now, whole runs of entities whose head is due; None when there are none.

    At most about *limit* messages: entities that have waited longest come first, and a run is
    never cut. Heads are found in narrow columns; payloads are read for due entities only.
    """
    table = where.place(RETRY_QUEUE).read(spark, state.version).where(F.col("kind") == "message")
    erased = erased_entities(spark, where, state)
    order = F.struct("queued_version", "position")
    heads = (
        table.groupBy("entity_hash", F.when(F.col("entity_hash").isNull(), F.col("message_id")))
        .agg(
            F.min_by("next_attempt_at", order).alias("due_at"),
            F.min("queued_version").alias("since"),
            F.count("*").alias("run"),
        )
        .where(F.col("due_at").isNull() | (F.col("due_at") <= F.lit(now)))
    )
    total = Window.orderBy(F.col("since"), F.col("entity_hash")).rowsBetween(
        Window.unboundedPreceding, -1
    )
    chosen = [
        bytes(row["entity_hash"] or b"")
        for row in heads.withColumn("before", F.coalesce(F.sum("run").over(total), F.lit(0)))
        .where(F.col("before") < limit)
        .select("entity_hash")
        .collect()
    ]
    chosen = [entity for entity in chosen if entity not in erased]
    if not chosen:
        return None
    keys = spark.createDataFrame([(bytearray(e),) for e in set(chosen)], "chosen binary")
    return table.join(
        F.broadcast(keys),
        F.coalesce(F.col("entity_hash"), F.lit(b"")) == F.col("chosen"),
        "leftsemi",
    )
