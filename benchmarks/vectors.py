"""Measure deletion vectors: what drain's ticks and a barrier cost on the queue, with and without.

Drain's own code takes in outcomes that end a hundred messages a tick, of queues of two lengths;
then a barrier reads the queue, and upkeep rewrites it. Prints one line a length.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from layout import whole
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.records import OUTCOMES, RETRY_QUEUE
from pipeline.tables import retry_queue
from pipeline.tables.layout import Layout, create_tables
from pipeline.tables.rewrite import rewrite
from pipeline.tables.session import QUICK, local_session
from pipeline.tables.take_in import take_in

LENGTHS, TICKS, WARM, ENDED = (200, 5_000), 10, 3, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one queue cost, in seconds and megabytes; medians of the ticks."""

    tick: float
    written: float
    barrier: float
    upkeep: float


def main() -> int:
    """All lengths; the exit status."""
    folder = Path(tempfile.mkdtemp())
    spark = local_session("vectors", java=QUICK)
    try:
        _measure(spark, folder / "warm", 1_000, "true")
        for line in _lines(spark, folder):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    finally:
        spark.stop()
        shutil.rmtree(folder)
    return 0


def _lines(spark: SparkSession, folder: Path) -> Iterator[str]:
    for length in LENGTHS:
        for vectors in ("false", "true"):
            cost = _measure(spark, folder / f"{length}_{vectors}", length, vectors)
            yield (
                f"{length:>7,} wait, vectors {vectors:<5}: a tick {cost.tick:.2f} s and "
                f"{cost.written:.2f} MB, a barrier {cost.barrier:.2f} s, upkeep {cost.upkeep:.1f} s"
            )


def _measure(spark: SparkSession, folder: Path, length: int, vectors: str) -> Cost:
    where = Layout(root=str(folder))
    create_tables(spark, where)
    queue = where.place(RETRY_QUEUE)
    spark.sql(
        f"ALTER TABLE {queue.sql} SET TBLPROPERTIES ('delta.enableDeletionVectors' = '{vectors}')"
    )
    queue.append(_waiting(spark, length))
    ticks, sizes = [], []
    for number in range(TICKS):
        where.place(OUTCOMES).append(_ended(spark, number, length))
        at = retry_queue.positions(spark, where)
        before, began = _size(folder), time.monotonic()
        take_in(spark, where, at, at.commands)
        ticks.append(time.monotonic() - began)
        sizes.append(_size(folder) - before)
    reads = []
    for _ in range(4):
        began = time.monotonic()
        retry_queue.pinned(spark, where)
        reads.append(time.monotonic() - began)
    began = time.monotonic()
    rewrite(spark, where, RETRY_QUEUE)
    return Cost(
        tick=median(ticks[WARM:]),
        written=median(sizes[WARM:]) / 1e6,
        barrier=median(reads[1:]),
        upkeep=time.monotonic() - began,
    )


def _waiting(spark: SparkSession, length: int) -> DataFrame:
    payload = F.unhex(F.concat(*(F.sha2(F.concat(F.col("id"), F.lit(n)), 512) for n in range(6))))
    rows = spark.range(0, length, 1, 2).select(
        F.lit("message").alias("kind"),
        F.format_string("%026d", F.col("id")).alias("message_id"),
        F.unhex(F.sha2(F.col("id").cast("string"), 256)).alias("entity_hash"),
        F.lit(0).cast("bigint").alias("queued_version"),
        F.col("id").alias("position"),
        payload.alias("payload"),
    )
    return whole(rows, RETRY_QUEUE)


def _ended(spark: SparkSession, number: int, length: int) -> DataFrame:
    """A tick's outcomes: some that waited were accepted, some new ones wait."""
    count = min(ENDED, length // (2 * TICKS))
    step = length // (count * TICKS)
    rows = spark.range(0, 2 * count, 1, 1).select(
        F.when(F.col("id") < count, "accepted").otherwise("queued").alias("kind"),
        F.when(F.col("id") < count, F.format_string("%026d", (F.col("id") * TICKS + number) * step))
        .otherwise(F.format_string("%026d", length + number * count + F.col("id")))
        .alias("message_id"),
        F.unhex(F.sha2(F.col("id").cast("string"), 256)).alias("entity_hash"),
        F.lit(2).alias("number"),
        F.when(F.col("id") >= count, F.unhex(F.sha2(F.col("id").cast("string"), 512))).alias(
            "payload"
        ),
    )
    return whole(rows, OUTCOMES)


def _size(folder: Path) -> int:
    return sum(
        path.stat().st_size
        for path in (folder / RETRY_QUEUE.name).rglob("*")
        if path.is_file() and "_delta_log" not in path.parts and not path.name.endswith(".crc")
    )


if __name__ == "__main__":
    sys.exit(main())
