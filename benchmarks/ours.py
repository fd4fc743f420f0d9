"""The pipeline as a contestant: a real stream, with everything that production has switched on."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import events
from deltalake import write_deltalake
from pydantic import SecretStr
from pyspark.sql import DataFrame, SparkSession
from receivers import received

from pipeline.core.cipher import keyring
from pipeline.core.feed import parse_feed
from pipeline.keys import Secrets
from pipeline.settings import Settings
from pipeline.source.check import check_feed
from pipeline.source.checked import CheckedFeed
from pipeline.source.locate import SourceTable
from pipeline.streams.begin import begin
from pipeline.streams.claim import claim_all
from pipeline.streams.runtime import Runtime
from pipeline.tables.layout import create_tables, layout

SECRETS = Secrets(
    api_key=SecretStr("benchmark"), payload_keys=keyring(bytes(range(32))), hashing_key=bytes(32)
)
PATIENCE = 600
"""Seconds after which a round that has not ended never will."""


def settings(
    folder: Path,
    url: str,
    delivery: Mapping[str, Any],
    *,
    gzip: bool = False,
    rate: Mapping[str, Any] | None = None,
    **triggers: Any,
) -> Settings:
    """As in production, with all checks on; only the places are the benchmark's own."""
    return Settings(
        target="bench",
        destination={"base_url": url, "gzip": gzip},
        delivery=dict(delivery),
        rate=dict(rate or {}),
        triggers={"deliver": "PT0S", **triggers},
        sources={"root": str(folder)},
        tables={"root": str(folder / "tables"), "checkpoints": str(folder / "checkpoints")},
    )


@dataclass(slots=True)
class Source:
    """One Delta table with a change feed that all runs share; each commit has new orders."""

    spark: SparkSession
    path: str
    rows: int = 0
    version: int = 0

    def create(self) -> None:
        """An empty table."""
        empty = events.table(self.spark, 0, 0).write.format("delta")
        empty.option("delta.enableChangeDataFeed", "true").save(self.path)

    def checked(self) -> CheckedFeed:
        """The feed of it, held against the table."""
        feed = parse_feed(events.FEED.format(source=self.path), file="bench.yml")
        return check_feed(self.spark, feed, SourceTable(path=self.path))

    def commit(self, count: int) -> None:
        """One commit of *count* inserts."""
        rows = events.table(self.spark, self.rows, count)
        rows.write.format("delta").mode("append").save(self.path)
        self._committed(count)

    def commit_beside(self, count: int) -> None:
        """The same by a writer of its own, which does not share this session's planning."""
        write_deltalake(self.path, events.rows(self.rows, count), mode="append")
        self._committed(count)

    def _committed(self, count: int) -> None:
        self.rows += count
        self.version += 1


@dataclass(slots=True)
class Ours:
    """A running stream of one feed."""

    source: Source
    url: str
    seconds: list[float]
    done: threading.Semaphore
    failed: Any

    def round(self, count: int) -> float:
        """Commit *count* events; events/s from the change feed to accepted and recorded."""
        before = received(self.url)["calls"]
        self.seconds.clear()
        self.source.commit(count)
        self.wait_for(before + count)
        return count / sum(self.seconds)

    def wait_for(self, calls: int) -> None:
        """Until so many calls arrived in all, and the micro-batch of the last one is over."""
        began = time.monotonic()
        finished = False
        while not finished:
            if (error := self.failed()) is not None:
                raise RuntimeError(str(error))
            if time.monotonic() - began > PATIENCE:
                raise TimeoutError("the pipeline did not end its round")
            ended = self.done.acquire(timeout=1)
            finished = ended and received(self.url)["calls"] >= calls


@contextmanager
def stream(source: Source, url: str, given: Settings) -> Iterator[Ours]:
    """Run `deliver` for the source, from its newest version on."""
    spark = source.spark
    runtime = Runtime(settings=given, secrets=SECRETS)
    create_tables(spark, layout(given))
    checked = source.checked()
    (own,) = claim_all(spark, runtime, ["deliver/orders"])
    handler, rows = begin(spark, runtime, own, checked)
    seconds: list[float] = []
    done = threading.Semaphore(0)

    def timed(changes: DataFrame, batch: int) -> None:
        began = time.perf_counter()
        handler(changes, batch)
        seconds.append(time.perf_counter() - began)
        done.release()

    query = (
        rows.writeStream.foreachBatch(timed)
        .option("checkpointLocation", f"{given.tables.checkpoints}/orders")
        .trigger(processingTime=f"{given.triggers.deliver.total_seconds():.0f} seconds")
        .start()
    )
    try:
        yield Ours(source, url, seconds, done, query.exception)
    finally:
        query.stop()
