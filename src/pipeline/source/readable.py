"""The change feed by version, and which versions can be read: their files, not only the log."""

from pyspark.sql import DataFrame, SparkSession

from pipeline.source.errors import gone
from pipeline.source.locate import SourceTable


def current_version(spark: SparkSession, table: SourceTable) -> int:
    """The table's newest commit version."""
    return int(spark.sql(f"DESCRIBE HISTORY {table.sql} LIMIT 1").collect()[0]["version"])


def read_changes(
    spark: SparkSession, table: SourceTable, from_version: int, to_version: int
) -> DataFrame:
    """The change feed of the versions from *from_version* to *to_version*, both included."""
    return table.read(
        spark.read.option("readChangeFeed", "true")
        .option("startingVersion", from_version)
        .option("endingVersion", to_version)
    )


def is_readable(spark: SparkSession, table: SourceTable, first: int, last: int) -> bool:
    """Whether each file of the change feed from *first* to *last* is there; opens all footers."""
    try:
        read_changes(spark, table, first, last).count()
    except Exception as error:  # a failed job may come as the bridge's own error
        if gone(error):
            return False
        raise
    return True


def first_readable(spark: SparkSession, table: SourceTable) -> int | None:
    """The first version from which on the change feed can be read to its end; None: none can."""
    low, high = 0, current_version(spark, table)
    last = high
    if not is_readable(spark, table, last, last):
        return None
    while low < high:
        middle = (low + high) // 2
        if is_readable(spark, table, middle, last):
            high = middle
        else:
            low = middle + 1
    return high
