"""Look again and again beside a job, in a thread of its own, until the job ends."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from pipeline.settings import Settings
from pipeline.watch.export import export
from pipeline.watch.look import Role, Watch


@contextmanager
def watching(spark: SparkSession, settings: Settings, role: Role) -> Iterator[None]:
    """Watch while the block runs; `observe.watch_every` of nought does not watch at all."""
    seconds = settings.observe.watch_every.total_seconds()
    if seconds <= 0:
        yield
        return
    over = threading.Event()
    latest = export(settings.observe, settings.target) if role == "drain" else None
    watch = Watch(spark=spark, settings=settings, role=role, latest=latest)

    def loop() -> None:
        while not over.wait(seconds):
            watch.look()

    thread = threading.Thread(target=loop, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)
