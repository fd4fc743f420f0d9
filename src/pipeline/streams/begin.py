"""Begin a feed where the books have it pinned, so that no restart begins elsewhere."""

import shutil
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from pipeline.log import logger
from pipeline.source.checked import CheckedFeed
from pipeline.source.readable import is_reshaped
from pipeline.source.start import pin, read_stream
from pipeline.streams.backfill import Backfill
from pipeline.streams.claim import Claim
from pipeline.streams.deliver import DeliverFeed
from pipeline.streams.runtime import Runtime
from pipeline.tables import books
from pipeline.tables.first_load import progress_file, read_progress


def checkpoint(runtime: Runtime, name: str) -> str:
    """Folder of a stream's checkpoint."""
    return f"{runtime.settings.tables.checkpoints.rstrip('/')}/{name}"


def begin(
    spark: SparkSession, runtime: Runtime, claim: Claim, checked: CheckedFeed
) -> tuple[DeliverFeed, DataFrame]:
    """The feed's foreachBatch, and its stream. A snapshot is sent before this returns."""
    where, feed = runtime.where, checked.feed.name
    entries = books.read_books(spark, where, feed)
    pins = [e for e in entries.values() if e.origin in {books.START, books.PINNED}]
    if pins:
        version, snapshot = pins[0].source_version, pins[0].origin == books.PINNED
    else:
        version, snapshot = _pin(spark, runtime, checked)
    after = version
    new = _is_new(
        spark, runtime, checked, max((e.source_version for e in entries.values()), default=-1)
    )
    if new:
        done = books.resume_after(spark, where, feed)
        after = after if done is None else max(after, done)
    handler = DeliverFeed(runtime, claim, checked, after)
    if snapshot and not _snapshot_closed(spark, runtime, feed, version):
        file = progress_file(runtime.settings.tables.checkpoints, feed)
        kept = read_progress(file, version)
        handler.after_version = max(after, kept.after if kept is not None else after)
        after = Backfill(handler, version, file, live=new, kept=kept).run(spark)
        handler.after_version = after
    logger(feed=feed).info("feed.begun", snapshot=snapshot, after_version=after)
    files = runtime.settings.sources.max_files_per_trigger
    return handler, read_stream(spark, checked.table, after, max_files=files)


def _is_new(spark: SparkSession, runtime: Runtime, checked: CheckedFeed, booked: int) -> bool:
    """Whether the stream goes on by the books: no micro-batch of its checkpoint is done.

    A stream begins by looking at its last micro-batch again. Where columns were dropped or retyped
    since, Delta can't: then the checkpoint is of no use, and is removed.
    """
    folder = Path(checkpoint(runtime, checked.feed.name))
    if folder.exists() and booked >= 0 and is_reshaped(spark, checked.table, booked):
        shutil.rmtree(folder)
        logger(feed=checked.feed.name).warning("checkpoint.removed", booked=booked)
    return not any((folder / "commits").glob("[0-9]*"))


def _pin(spark: SparkSession, runtime: Runtime, checked: CheckedFeed) -> tuple[int, bool]:
    """Choose the start and book it; the version, and whether its snapshot is to be sent."""
    pinned = pin(spark, checked)
    snapshot = pinned.origin == books.SNAPSHOT
    entry = books.Entry(
        source_version=pinned.version,
        origin=books.PINNED if snapshot else books.START,
        changes=0,
        deletes=0,
        messages=0,
        committed_at=None,
    )
    books.book(spark, runtime.where, checked.feed.name, checked.table_id, [entry])
    return pinned.version, snapshot


def _snapshot_closed(spark: SparkSession, runtime: Runtime, feed: str, version: int) -> bool:
    """Whether every message of the snapshot has an outcome."""
    entry = books.read_books(spark, runtime.where, feed, version, version).get(
        (version, books.SNAPSHOT)
    )
    if entry is None:
        return False
    found = books.recorded(spark, runtime.where, feed, version, version)
    return found.get(version, 0) >= entry.messages
