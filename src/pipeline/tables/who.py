"""Who asks: one rule for commands and for the audit log."""

from pyspark.sql import SparkSession


def who(spark: SparkSession) -> str:
    """The Databricks user on Databricks, the local account elsewhere: the session knows both."""
    row = spark.sql("SELECT current_user()").first()
    return "unknown" if row is None else str(row[0])
