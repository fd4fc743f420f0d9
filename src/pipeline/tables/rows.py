"""Append a few rows that this process made, in one commit."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from pipeline.core.records import Table
from pipeline.tables.layout import Layout


def append_rows(
    spark: SparkSession, where: Layout, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Append *rows*, given as mappings; columns that one does not name are null."""
    if not rows:
        return
    arrow = pa.Table.from_pylist([dict(row) for row in rows], schema=table.arrow)
    where.place(table).append(frame(spark, table, arrow))


def frame(spark: SparkSession, table: Table, rows: pa.Table) -> DataFrame:
    """The rows as a DataFrame of the table's own types."""
    made: DataFrame = spark.createDataFrame(rows)
    return made.selectExpr(*(f"CAST(`{c.name}` AS {c.type}) AS `{c.name}`" for c in table.columns))
