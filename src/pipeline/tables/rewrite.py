"""Rewrite a table's files: few in number, and without rows that were deleted or changed."""

from pyspark.sql import SparkSession

from pipeline.core.records import Table
from pipeline.tables.layout import Layout


def rewrite(spark: SparkSession, where: Layout, table: Table) -> None:
    """Compact the files, and write those anew that have deletion vectors."""
    place = where.place(table)
    detail = spark.sql(f"DESCRIBE DETAIL {place.sql}").select("numFiles", "properties").first()
    if detail is None or detail["numFiles"] == 0:
        return
    if detail["numFiles"] > 1:
        spark.sql(f"OPTIMIZE {place.sql}").collect()
    if dict(detail["properties"]).get("delta.enableDeletionVectors") == "true":
        spark.sql(f"REORG TABLE {place.sql} APPLY (PURGE)").collect()
