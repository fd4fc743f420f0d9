"""Find what is due in the retry queue: its cost follows what may be due, not all that waits."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.erasure import REQUESTED
from pipeline.tables.layout import Layout
from pipeline.tables.retry_queue import Mark, rows_of

NAMED_ENTITIES: Final = 100_000
"""So many entities are named to Spark as a table that each of its tasks gets whole."""
CHOSEN_ENTITIES: Final = 200_000
"""Of a tick at most, where not all that waits is due: they are named to Spark in the same way."""
SLICE: Final = "slice_of_due"
"""Which slice a message goes in, from 0; an entity is never cut in two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What waits, of which the time has come for some at one moment."""

    sendable: DataFrame
    waiting: int
    come: int
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """What is sent now: whole runs of entities, in one slice or several."""

    rows: DataFrame
    """Rows of the queue, with `SLICE`."""
    slices: int


def find_due(
    spark: SparkSession, where: Layout, now: datetime, marks: Sequence[Mark] = ()
) -> Due | None:
    """What waits, if the time has come for any of it, as in few ticks.

    Of an erased person nothing is due but the request itself (*marks*).
    """
    table = rows_of(spark, where, "message")
    sendable = _of_nobody_erased(spark, table, marks) if marks else table
    come = F.count_if(_has_come("next_attempt_at", now))
    count = sendable.agg(F.count("*").alias("waiting"), come.alias("come")).collect()[0]
    return Due(sendable=sendable, now=now, **count.asDict()) if count["come"] else None


def runs_due(spark: SparkSession, due: Due, limit: int, slices: int = 1) -> Runs | None:
    """Messages to send now, whole runs of entities whose head is due; None when there are none.

    At most about *limit* messages a slice: entities that have waited longest come first, and a run
    is never cut. Heads are found in narrow columns; payloads are read for due entities only.
    """
    sendable, now = due.sendable, due.now
    if due.come == due.waiting <= limit * slices:
        needed = math.ceil(due.waiting / limit)
        part = F.pmod(F.xxhash64(_entity()), F.lit(needed)) if needed > 1 else F.lit(0)
        return Runs(rows=sendable.withColumn(SLICE, part.cast("int")), slices=needed)
    possible = _of_the_possible(spark, sendable, now)
    order = F.struct("queued_version", "position")
    chosen_heads = (
        possible.groupBy(_entity().alias("entity"))
        .agg(
            F.min_by(F.struct("next_attempt_at"), order).alias("head"),
            F.min("queued_version").alias("since"),
            F.count("*").alias("run"),
        )
        .where(_has_come("head.next_attempt_at", now))
        .orderBy("since", "entity")
        .limit(min(limit * slices, CHOSEN_ENTITIES))
        .select("entity", "run")
        .toArrow()
    )
    before = pc.subtract(pc.cumulative_sum(chosen_heads["run"]), chosen_heads["run"])
    chosen = pa.table(
        {"named": chosen_heads["entity"], SLICE: pc.divide(before, limit).cast(pa.int32())}
    ).filter(pc.less(before, limit * slices))
    if not chosen.num_rows:
        return None
    named = F.broadcast(spark.createDataFrame(chosen))
    rows = sendable.join(named, F.col("named") == _entity()).drop("named")
    # A run that is longer than a slice leaves the number of the next one unused.
    return Runs(rows=rows, slices=pc.max(chosen[SLICE]).as_py() + 1)


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


def _of_the_possible(spark: SparkSession, sendable: DataFrame, now: datetime) -> DataFrame:
    """Messages of entities that have one whose time has come, which alone can have such a head.

    So a tick sorts what may be due, and not all that waits, unless that is much itself.
    """
    some = sendable.where(_has_come("next_attempt_at", now)).select(_entity().alias("entity"))
    found = some.distinct().limit(NAMED_ENTITIES + 1).toArrow()["entity"]
    return sendable if len(found) > NAMED_ENTITIES else _of_entities(spark, sendable, found)


def _entity() -> Column:
    return F.coalesce(F.col("entity_hash"), F.lit(b""))


def _has_come(column: str, now: datetime) -> Column:
    return F.col(column).isNull() | (F.col(column) <= now)


def _of_entities(spark: SparkSession, messages: DataFrame, entities: pa.ChunkedArray) -> DataFrame:
    named = spark.createDataFrame(pa.table({"named": entities}))
    return messages.join(F.broadcast(named), F.col("named") == _entity(), "leftsemi")
