"""Where a feed begins, and the reading of its changes from there."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.feed import Feed, FeedError
from pipeline.core.feed_model import FromTimestamp, FromVersion
from pipeline.source.checked import CheckedFeed
from pipeline.source.locate import SourceTable
from pipeline.source.net import CHANGE_TYPE, TIMESTAMP, VERSION
from pipeline.source.readable import current_version, is_readable

MAX_FILES: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """Where a feed starts: resolved once, and kept."""

    version: int
    """The last version that the change feed is not read for; -1 when it is read from the first.
    A snapshot is read at this version."""
    origin: Literal["snapshot", "start"]


def pin(spark: SparkSession, checked: CheckedFeed) -> Pinned:
    """Resolve a checked feed's start; see `resolve`."""
    return resolve(spark, checked.feed, checked.table)


def resolve(spark: SparkSession, feed: Feed, table: SourceTable) -> Pinned:
    """Resolve a feed's start against the table as it is now.

    Raises:
        FeedError: the version or the moment is beyond the table's last commit.
    """
    current = current_version(spark, table)
    match feed.start:
        case "snapshot":
            return Pinned(version=current, origin="snapshot")
        case "latest":
            return Pinned(version=current, origin="start")
        case FromVersion(version=version):
            if version > current + 1:
                raise FeedError(
                    f"{feed.file}: start.version: {version} is not there yet, the table is at "
                    f"{current}; give at most {current + 1}, or latest"
                )
            return Pinned(version=version - 1, origin="start")
        case FromTimestamp(timestamp=moment):
            return Pinned(version=_before(spark, table, moment, current), origin="start")


def _before(spark: SparkSession, table: SourceTable, moment: datetime, current: int) -> int:
    """The last version that was committed before *moment*."""
    history = spark.sql(f"DESCRIBE HISTORY {table.sql}").where(F.col("timestamp") >= F.lit(moment))
    first = history.agg(F.min("version")).collect()[0][0]
    return current if first is None else int(first) - 1


def snapshot_changes(spark: SparkSession, table: SourceTable, version: int) -> DataFrame:
    """The table at *version*, shaped as a change feed of inserts of that version."""
    history = spark.sql(f"DESCRIBE HISTORY {table.sql}").where(F.col("version") == version)
    committed = [row["timestamp"] for row in history.select("timestamp").collect()]
    rows = table.read(spark.read.option("versionAsOf", version))
    return rows.withColumns(
        {
            CHANGE_TYPE: F.lit("insert"),
            VERSION: F.lit(version).cast("long"),
            TIMESTAMP: F.lit(committed[0]).cast("timestamp"),
        }
    )


def read_stream(
    spark: SparkSession,
    table: SourceTable,
    after_version: int,
    *,
    max_files: int = MAX_FILES,
    max_bytes: str | None = None,
) -> DataFrame:
    """The streaming change feed from *after_version* on; -1 stands for the table's first.

    It starts with that version itself, since Delta refuses one that is not there yet: drop rows
    with `_commit_version <= after_version`. Where that version's files are gone, it starts with
    the next.

    Raises:
        FeedError: the files are gone and there is no next commit yet; try again after one.
    """
    first = max(after_version, 0)
    if not is_readable(spark, table, first, first):
        if current_version(spark, table) <= after_version:
            raise FeedError(
                f"{table.sql}: the change feed of its last version {first} was vacuumed and "
                "there is no later one yet; the feed starts with the next commit, try again then"
            )
        first = after_version + 1
    reader = (
        spark.readStream.option("readChangeFeed", "true")
        .option("startingVersion", first)
        .option("maxFilesPerTrigger", max_files)
    )
    if max_bytes is not None:
        reader = reader.option("maxBytesPerTrigger", max_bytes)
    return table.stream(reader)
