"""The change feed by version, and which versions can be read: their files, not only the log."""

from pyspark.sql import DataFrame, SparkSession

from pipeline.source.errors import gone, reshaped
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
    """Whether each file of the change feed from *first* to *last* is there; opens all footers.

    Not where columns were dropped or retyped since: Delta reads changes under today's columns.
    """
    try:
        read_changes(spark, table, first, last).count()
    except Exception as error:  # a failed job may come as the bridge's own error
        if gone(error) or reshaped(error):
            return False
        raise
    return True


def is_reshaped(
    spark: SparkSession, table: SourceTable, version: int, *, rows: bool = False
) -> bool:
    """Whether columns were dropped or retyped in *version* or later, so that Delta can't read it.

    With *rows* each row is read: what was written in one commit with the columns' change shows
    only then.
    """
    changes = read_changes(spark, table, version, version)
    try:
        changes.write.format("noop").mode("overwrite").save() if rows else changes.count()
    except Exception as error:  # a failed job may come as the bridge's own error
        if not (reshaped(error) or gone(error)):
            raise
        return reshaped(error)
    return False


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
