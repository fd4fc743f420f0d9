"""Find what is due in the retry queue: its cost follows what may be due, not all that waits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.erasure import REQUESTED
from pipeline.core.records import RETRY_QUEUE
from pipeline.tables.layout import Layout
from pipeline.tables.retry_queue import Mark

NAMED_ENTITIES: Final = 100_000
"""So many entities are named to Spark as a table that each of its tasks gets whole."""


def runs_due(
    spark: SparkSession, where: Layout, now: datetime, limit: int, marks: Sequence[Mark] = ()
) -> DataFrame | None:
    """Messages to send now, whole runs of entities whose head is due; None when there are none.

    Of an erased person nothing is due but the request itself (*marks*). At most about *limit*
    messages: entities that have waited longest come first, and a run is never cut.
    Heads are found in narrow columns; payloads are read for due entities only.
    """
    table = where.place(RETRY_QUEUE).read(spark).where(F.col("kind") == "message")
    sendable = _of_nobody_erased(spark, table, marks) if marks else table
    possible = _of_the_possible(spark, sendable, now)
    if possible is None:
        return None
    order = F.struct("queued_version", "position")
    chosen_heads = (
        possible.groupBy("entity_hash")
        .agg(
            F.min_by(F.struct("next_attempt_at"), order).alias("head"),
            F.min("queued_version").alias("since"),
            F.count("*").alias("run"),
        )
        .where(_has_come("head.next_attempt_at", now))
        .orderBy("since", "entity_hash")
        .limit(limit)
        .select("entity_hash", "run")
        .collect()
    )
    chosen: list[bytes] = []
    messages = 0
    for head in chosen_heads:
        if messages >= limit:
            break
        chosen.append(bytes(head["entity_hash"] or b""))
        messages += head["run"]
    return _of_entities(spark, sendable, pa.array(chosen, pa.binary())) if chosen else None


def _of_nobody_erased(spark: SparkSession, table: DataFrame, marks: Sequence[Mark]) -> DataFrame:
    """Messages but for those of erased people; a marked request itself may go."""
    erased = spark.createDataFrame(
        [(bytearray(hash_),) for hash_ in {mark.entity_hash for mark in marks}], "hash binary"
    )
    requests = [mark.message_id for mark in marks if mark.stage is None]
    is_request = F.col("message_id").isin(requests) & (F.col("reason") != REQUESTED)
    others = table.join(F.broadcast(erased), F.col("entity_hash") == F.col("hash"), "leftanti")
    return others.where(F.coalesce(F.col("reason"), F.lit("")) != REQUESTED).unionAll(
        table.where(is_request)
    )


def _of_the_possible(spark: SparkSession, sendable: DataFrame, now: datetime) -> DataFrame | None:
    """Messages of entities that have one whose time has come, which alone can have such a head.

    So a tick sorts what may be due, and not all that waits, unless that is much itself. None when
    no message's time has come, as in most ticks.
    """
    some = sendable.where(_has_come("next_attempt_at", now)).select(_entity().alias("entity"))
    found = some.distinct().limit(NAMED_ENTITIES + 1).toArrow()["entity"]
    if not len(found):
        return None
    if len(found) > NAMED_ENTITIES:
        return sendable
    return _of_entities(spark, sendable, found.combine_chunks())


def _entity() -> Column:
    return F.coalesce(F.col("entity_hash"), F.lit(b""))


def _has_come(column: str, now: datetime) -> Column:
    return F.col(column).isNull() | (F.col(column) <= now)


def _of_entities(spark: SparkSession, messages: DataFrame, entities: pa.Array) -> DataFrame:
    named = spark.createDataFrame(pa.table({"named": entities}))
    return messages.join(F.broadcast(named), F.col("named") == _entity(), "leftsemi")
