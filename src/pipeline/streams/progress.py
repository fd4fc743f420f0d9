"""Write what Spark reports of the streams to `stream_progress`, off the streams' own way.

Reports are kept in memory and appended together, one commit each `observe.progress_every`: a
commit a micro-batch would cost more than some micro-batches. Nothing here stops a stream.
"""

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from pyspark.sql import SparkSession
from pyspark.sql.streaming.listener import (
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
    StreamingQueryListener,
)

from pipeline.core.records import STREAM_PROGRESS
from pipeline.log import logger
from pipeline.tables.layout import Layout
from pipeline.tables.rows import append_rows

KEPT: Final = 5_000
"""Reports that wait to be written; while the table cannot be written the oldest are dropped."""
Row = dict[str, Any]


def progress_row(text: str) -> Row:
    """A report of Spark, JSON, as a row. What it does not say is null."""
    report = json.loads(text)
    duration = report.get("batchDuration")
    if duration is None:
        duration = (report.get("durationMs") or {}).get("triggerExecution")
    at = report.get("timestamp")
    return {
        "query": report.get("name"),
        "run_id": report.get("runId"),
        "batch_id": report.get("batchId"),
        "input_rows": report.get("numInputRows"),
        "duration_ms": duration,
        "progress": text,
        "recorded_at": datetime.fromisoformat(at) if at else datetime.now(UTC),
    }


class ProgressListener(StreamingQueryListener):
    """Keeps each report; whoever writes takes them."""

    def __init__(self) -> None:
        self.rows: deque[Row] = deque(maxlen=KEPT)

    def onQueryStarted(self, event: QueryStartedEvent) -> None:  # noqa: N802  Spark's name
        """Nothing to keep."""

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802
        """Keep the report; one that cannot be read is left out."""
        try:
            self.rows.append(progress_row(event.progress.json))
        except (ValueError, TypeError, AttributeError) as error:
            logger().warning("progress.unreadable", error=type(error).__name__)

    def onQueryIdle(self, event: QueryIdleEvent) -> None:  # noqa: N802
        """Nothing to keep."""

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:  # noqa: N802
        """Nothing to keep."""

    def take(self) -> list[Row]:
        """All that is kept, in order; it is kept no more."""
        taken = []
        while self.rows:
            taken.append(self.rows.popleft())
        return taken


def write(spark: SparkSession, where: Layout, listener: ProgressListener) -> int:
    """Append what the listener keeps, in one commit; on failure it is kept for the next time."""
    rows = listener.take()
    try:
        append_rows(spark, where, STREAM_PROGRESS, rows)
    except Exception as error:  # noqa: BLE001  a report is not worth a stream
        listener.rows.extendleft(reversed(rows))
        logger().warning("progress.not_written", reports=len(rows), error=type(error).__name__)
        return 0
    return len(rows)


@contextmanager
def reporting(spark: SparkSession, where: Layout, seconds: float) -> Iterator[None]:
    """Listen to the session's queries and write their reports until the end."""
    listener, over = ProgressListener(), threading.Event()

    def loop() -> None:
        while not over.wait(seconds):
            write(spark, where, listener)

    thread = threading.Thread(target=loop, name="progress", daemon=True)
    spark.streams.addListener(listener)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(seconds)
        spark.streams.removeListener(listener)
        write(spark, where, listener)
