"""Open the Spark session: the runtime's own on Databricks, an embedded one with Delta elsewhere."""

import os
import sys

from pyspark.sql import SparkSession

SHUFFLE_PARTITIONS = 2
"""Few, since a laptop has few cores and Delta's own state is small."""


def active_session() -> SparkSession:
    """The session that this platform offers: Databricks' own, or a local one."""
    if "DATABRICKS_RUNTIME_VERSION" in os.environ:
        return SparkSession.builder.getOrCreate()
    return local_session("pipeline")


def local_session(name: str, master: str = "local[2]", memory: str = "2g") -> SparkSession:
    """Start or find an embedded Spark with Delta. Jars come from Maven Central, cached after once.

    Time zone UTC, so that timestamps in calls carry a zone that no machine changes; ANSI on, so
    that a cast that fails is an error and not a silent null.
    """
    from delta import configure_spark_with_delta_pip  # noqa: PLC0415  only local use has it

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # workers, too, need our packages
    builder = (
        SparkSession.builder.appName(name)
        .master(master)
        .config("spark.driver.memory", memory)
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config(
            "spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog"
        )
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.log.level", "ERROR")
        .config("spark.sql.shuffle.partitions", str(SHUFFLE_PARTITIONS))
        .config("spark.databricks.delta.snapshotPartitions", str(SHUFFLE_PARTITIONS))
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.ansi.enabled", "true")
        .config("spark.speculation", "false")
        .config("spark.sql.maxConcurrentOutputFileWriters", "8")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "20000")
        .config("spark.sql.warehouse.dir", "build/spark-warehouse")
        .config("spark.driver.extraJavaOptions", "-Dderby.system.home=build/derby")
    )
    return configure_spark_with_delta_pip(builder).getOrCreate()
