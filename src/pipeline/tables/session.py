"""Open the Spark session: the runtime's own on Databricks, an embedded one with Delta elsewhere."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from pipeline.tables.quick_start import with_delta

SHUFFLE_PARTITIONS = 2
"""Few, since a laptop has few cores and Delta's own state is small."""


KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
"""For the workers' environment: freed buffers are used again, not given back and faulted in.

A slice's buffers are hundreds of megabytes, made anew for each. On a virtual machine, which may
have to ask its host for each page, faulting them in took a fifth of all processor time. A worker
keeps what its largest slice needed; `delivery.slice_bytes` bounds that.
"""

ARROW = "-Darrow.enable_unsafe_memory_access=true -Darrow.enable_null_check_for_get=false"
"""Arrow checks the bounds of each value that it reads; Spark asks only within them."""

QUICK = (
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m"
    " -Xms512m -XX:MetaspaceSize=384m"
)
"""Java compiles once and lightly: small work starts twice as fast, large work runs slower.

With room from the start for its heap and its classes it spares the full collections that would
make that room: 7% of the processor time of a short run.
"""

INLINE = {"spark.broadcast.UDFCompressionThreshold": "1g"}
"""Tasks' functions carry keys: above this size PySpark would write one to a temporary file.

It counts when a cluster starts: for Databricks, `bundles/databricks.yml` has it."""

NEEDED = {
    # Calls carry UTC, whatever the machine's zone.
    "spark.sql.session.timeZone": "UTC",
    # A cast that fails is an error, not a silent null.
    "spark.sql.ansi.enabled": "true",
}
"""What the code relies on, on every platform."""

EMPTY_AHEAD = "spark.databricks.delta.changeDataFeed.timestampOutOfRange.enabled"
"""A change feed read from the version that comes next is empty, not an error."""

FASTER = {
    EMPTY_AHEAD: "true",
    # Else each step of planning tells Java the line of Python that it is from: half of planning.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    # The rows of a slice go to few partitions by kind; no sort between sending and writing.
    "spark.sql.maxConcurrentOutputFileWriters": "8",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "20000",
    # A batch for Python is bounded by its rows; measuring its bytes at each row costs 5%.
    "spark.sql.execution.arrow.maxBytesPerBatch": "2147483647",
    # A long is cheaper to write, to compare and to keep than twelve bytes.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # The text of each plan, kept for Spark's own pages: the short one.
    "spark.sql.ui.explainMode": "simple",
    # Ids never repeat: a dictionary of them is given up in each file after it was filled.
    "parquet.enable.dictionary#message_id": "false",
    "parquet.enable.dictionary#position": "false",
    "parquet.enable.dictionary#packed_ids": "false",
    "parquet.enable.dictionary#packed_entities": "false",
    # Most entities come once or twice a commit: a dictionary of them is given up, too.
    "parquet.enable.dictionary#entity_hash": "false",
    # Nobody reads sizes of levels; they cost a step a value.
    "parquet.size.statistics.enabled": "false",
}
"""Spares work; where a platform refuses one of them (serverless does), things go on without."""


COMPILED_FROM = 20_000
"""Rows from which on a query is worth compiling: generating its code takes longer than to interpret
it for fewer, though Spark keeps what it compiled. A small micro-batch takes three quarters of the
time."""
_COMPILED = {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"}
_INTERPRETED = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}

STDERR = 2
SAID_BYTES = 20_000
"""Of what Java said, at most, where it fails to start."""


def silence() -> None:
    """Spark quotes a row's values in its errors, and a row's values belong in no log.

    What a person needs of an error, our own events say: its class, and its words scrubbed.
    """
    logging.getLogger("DataFrameQueryContextLogger").setLevel(logging.CRITICAL + 1)
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL + 1)


def active_session() -> SparkSession:
    """The session that this platform offers: Databricks' own, or a local one."""
    if "DATABRICKS_RUNTIME_VERSION" not in os.environ:
        with _java_aside():
            return local_session("pipeline", java=QUICK)
    silence()
    session = SparkSession.builder.getOrCreate()
    for name, value in NEEDED.items():
        session.conf.set(name, value)
    prefer(session, FASTER)
    return session


def prefer(spark: SparkSession, settings: Mapping[str, str]) -> None:
    """Have this session go by *settings*; where a platform refuses one, it goes on as it is."""
    for name, value in settings.items():
        with contextlib.suppress(PySparkException):
            spark.conf.set(name, value)


def compile_or_interpret(spark: SparkSession, rows: int) -> None:
    """Have this session, a stream's own, run its next queries as is faster for so many rows."""
    prefer(spark, _COMPILED if rows >= COMPILED_FROM else _INTERPRETED)


@contextlib.contextmanager
def _java_aside() -> Iterator[None]:
    """Keep what Java and Ivy say while they start off the screen; it is shown where they fail."""
    sys.stderr.flush()
    before = os.dup(STDERR)
    try:
        with tempfile.TemporaryFile() as said:
            os.dup2(said.fileno(), STDERR)
            try:
                yield
            except Exception:
                said.seek(0)
                os.write(before, said.read()[-SAID_BYTES:])
                raise
            finally:
                os.dup2(before, STDERR)
    finally:
        os.close(before)


def local_session(
    name: str,
    master: str = "local[2]",
    memory: str = "2g",
    java: str = "",
    *,
    connect: bool = False,
) -> SparkSession:
    """Start or find an embedded Spark with Delta; jars come from Maven Central, then a cache.

    With *connect*, this process talks to it over Spark Connect, as on serverless compute.
    """
    silence()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # workers, too, need our packages
    os.environ.setdefault("SPARK_AUTH_SOCKET_TIMEOUT", "120")  # a busy laptop starts them slowly
    for variable, value in KEEP_MEMORY.items():
        os.environ.setdefault(variable, value)
    named = SparkSession.builder.appName(name)
    builder = (
        (named.remote(master) if connect else named.master(master))
        .config("spark.driver.memory", memory)
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config(
            "spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog"
        )
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        # Spark tidies up what its pages would show after each query: there are no pages.
        .config("spark.sql.ui.retainedExecutions", "10")
        .config("spark.ui.retainedJobs", "10")
        .config("spark.ui.retainedStages", "10")
        .config("spark.ui.retainedTasks", "100")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.log.level", "OFF")
        .config("spark.sql.shuffle.partitions", str(SHUFFLE_PARTITIONS))
        .config("spark.databricks.delta.snapshotPartitions", str(SHUFFLE_PARTITIONS))
        # VACUUM lists files in so many tasks: the default is ten thousand, minutes a table.
        .config("spark.sql.sources.parallelPartitionDiscovery.parallelism", "2")
        .config("spark.speculation", "false")
        .config("spark.python.authenticate.socketTimeout", "120s")
        .config("spark.sql.warehouse.dir", "build/spark-warehouse")
    )
    for key, value in {**INLINE, **NEEDED, **FASTER}.items():
        builder = builder.config(key, value)
    java = f"-Dderby.system.home=build/derby {ARROW} {java}".strip()
    return with_delta(builder, java).getOrCreate()
