"""Measure what the tables' layout is chosen by: bytes of files that a read opens or a write makes.

Counted, not timed, so that a busy machine says the same. Prints one line a question.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.core.records import OUTCOMES, RETRY_QUEUE, Table
from pipeline.tables.layout import create_statement
from pipeline.tables.place import Place
from pipeline.tables.session import QUICK, local_session

COMMITS, ACCEPTED, WAITING = 12, 20_000, 100_000


def main() -> int:
    """All questions; the exit status."""
    folder = Path(tempfile.mkdtemp())
    spark = local_session("layout", java=QUICK)
    try:
        for line in (*outcomes(spark, folder), *queue(spark, folder)):
            sys.stdout.write(line + "\n")
    finally:
        spark.stop()
        shutil.rmtree(folder)
    return 0


def outcomes(spark: SparkSession, folder: Path) -> Iterator[str]:
    """What a barrier opens to find the few that wait, with and without partitions by kind."""
    by_kind, flat = Place(path=str(folder / "by_kind")), Place(path=str(folder / "flat"))
    spark.sql(create_statement(OUTCOMES, by_kind))
    spark.sql(create_statement(OUTCOMES, flat).replace("PARTITIONED BY (kind)", ""))
    for version in range(COMMITS):
        rows = _outcomes(spark, version)
        by_kind.append(rows)
        flat.append(rows)
    parts, whole = _files(by_kind), _files(flat)
    queued = parts.filter(pc.equal(parts["partition.kind"], "queued"))
    yield (
        f"outcomes, {COMMITS} slices of {ACCEPTED:,} messages, 1 in 1,000 queued: the queued ones "
        f"are in {_sum(queued) / 1e3:,.0f} KB of files by kind, {_sum(whole) / 1e3:,.0f} KB without"
    )
    one = pc.and_(pc.less_equal(parts["min.source_version"], 3),
                  pc.greater_equal(parts["max.source_version"], 3))  # fmt: skip
    yield (
        f"outcomes, ids of one source version of {COMMITS}: {parts.filter(one).num_rows} of "
        f"{parts.num_rows} files may hold it, by their statistics alone"
    )


def queue(spark: SparkSession, folder: Path) -> Iterator[str]:
    """What a tick writes that ends 100 messages of a long queue, with and without vectors."""
    for vectors in ("false", "true"):
        place = Place(path=str(folder / f"queue_{vectors}"))
        spark.sql(create_statement(RETRY_QUEUE, place))
        spark.sql(
            f"ALTER TABLE {place.sql} SET TBLPROPERTIES "
            f"('delta.enableDeletionVectors' = '{vectors}')"
        )
        place.append(_waiting(spark))
        ended = spark.range(0, 100).selectExpr("format_string('%026d', id * 997) AS merge_id")
        place.merge(
            spark, ended, "ON q.kind = 'message' AND q.message_id = s.merge_id "
            "WHEN MATCHED THEN DELETE"
        )  # fmt: skip
        metrics = spark.sql(f"DESCRIBE HISTORY {place.sql} LIMIT 1").collect()[0]
        written = metrics["operationMetrics"]
        yield (
            f"retry_queue, {WAITING:,} wait, 100 end in a tick, deletion vectors {vectors}: "
            f"{int(written['numTargetBytesAdded']) / 1e6:,.1f} MB of data files written"
        )


def _outcomes(spark: SparkSession, version: int) -> Any:
    rows = spark.range(0, ACCEPTED, 1, 2).select(
        F.when(F.col("id") % 1000 == 0, "queued").otherwise("accepted").alias("kind"),
        F.sha2(F.concat(F.col("id").cast("string"), F.lit(version)), 256).alias("message_id"),
        F.lit(version).cast("bigint").alias("source_version"),
        F.when(F.col("id") % 1000 == 0, F.unhex(F.sha2(F.col("id").cast("string"), 512))).alias(
            "payload"
        ),
    )
    return whole(rows, OUTCOMES)


def _waiting(spark: SparkSession) -> Any:
    payload = F.unhex(F.concat(*(F.sha2(F.concat(F.col("id").cast("string"), F.lit(n)), 512)
                                 for n in range(6))))  # fmt: skip
    rows = spark.range(0, WAITING, 1, 2).select(
        F.lit("message").alias("kind"),
        F.format_string("%026d", F.col("id")).alias("message_id"),
        payload.alias("payload"),
    )
    return whole(rows, RETRY_QUEUE)


def whole(rows: Any, table: Table) -> Any:
    """All columns of a table: those of *rows*, and null for the rest."""
    there = set(rows.columns)
    return rows.select(
        *(F.col(c.name) if c.name in there else F.lit(None).cast(c.type).alias(c.name)
          for c in table.columns)
    )  # fmt: skip


def _files(place: Place) -> Any:
    return pa.table(DeltaTable(str(place.path)).get_add_actions(flatten=True))


def _sum(files: Any) -> float:
    return float(np.sum(files["size_bytes"].to_numpy()))


if __name__ == "__main__":
    sys.exit(main())
