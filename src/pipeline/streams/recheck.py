"""Hold a feed against its table before it starts again; it holds until the two fit."""

from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from pipeline.core.feed import Feed, FeedError
from pipeline.source.check import check_where_it_is
from pipeline.source.checked import CheckedFeed
from pipeline.source.feed_files import load_feeds
from pipeline.source.readable import current_version, is_reshaped
from pipeline.source.retyped import retyped
from pipeline.streams.claim import Claim
from pipeline.streams.hold import Hold
from pipeline.streams.runtime import Runtime
from pipeline.tables import books, commands

SCHEMA, RECREATED = "schema", "source_recreated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """Why a feed cannot go on."""

    reason: str
    detail: str


def current_feed(runtime: Runtime, known: Feed) -> Feed:
    """The feed as its file is now; as it was known where the file is gone.

    Raises:
        FeedError: a feed file cannot be used.
    """
    feeds = load_feeds(Path(runtime.settings.sources.feeds))
    return next((feed for feed in feeds if feed.name == known.name), known)


def recheck(spark: SparkSession, runtime: Runtime, claim: Claim, known: Feed) -> CheckedFeed:
    """The feed and its table as they are now; waits, holding, until they fit.

    Raises:
        HoldOutlastedError, StopRequestedError, LeaseLostError.
    """
    found = _look(spark, runtime, known)
    while isinstance(found, Misfit):
        hold = Hold(
            runtime=runtime,
            claim=claim,
            job="deliver",
            feed=known.name,
            reason=found.reason,
            detail=found.detail,
        )
        hold.wait_for(spark, lambda: not isinstance(_look(spark, runtime, known), Misfit))
        found = _look(spark, runtime, known)
    return found


def _look(spark: SparkSession, runtime: Runtime, known: Feed) -> CheckedFeed | Misfit:
    entries = books.table_ids(spark, runtime.where, known.name)
    try:
        feed = current_feed(runtime, known)
        checked = check_where_it_is(spark, runtime.settings, feed, begun=bool(entries))
    except FeedError as error:
        return Misfit(reason=SCHEMA, detail=f"{error}; goes on by itself when that is mended")
    if entries and checked.table_id not in entries:
        return Misfit(
            reason=RECREATED,
            detail=f"{feed.file}: source: {checked.table.sql} was dropped and made again: its "
            f"id is {checked.table_id}, the books know {', '.join(sorted(entries))}. Restore the "
            "old table, or give the feed another name to start over with the new one",
        )
    return _retyped(spark, runtime, checked) if entries else checked


def _retyped(spark: SparkSession, runtime: Runtime, checked: CheckedFeed) -> CheckedFeed | Misfit:
    """A column of another type may still be mapped, to other values: somebody is to say so."""
    feed, where = checked.feed, runtime.where
    booked = books.last_version(spark, where, feed.name)
    if booked is None or booked < 0 or not is_reshaped(spark, checked.table, booked):
        return checked
    version = current_version(spark, checked.table)
    if version > booked and is_reshaped(spark, checked.table, booked + 1, rows=True):
        return Misfit(
            reason=SCHEMA,
            detail=f"{feed.file}: source: Delta can't read the changes of version {booked + 1}: "
            "columns were dropped or retyped in it, or later. Give the feed another name and "
            "start: snapshot, which sends the table as it is",
        )
    found = retyped(spark, checked, booked)
    if not found or (commands.released_upto(spark, where, feed.name) or -1) > booked:
        return checked
    return Misfit(
        reason=SCHEMA,
        detail=f"{feed.file}: source: {'; '.join(found)}. Make it what it was, or correct the feed "
        f"and confirm: pipeline hold release --feed {feed.name} --version {version}",
    )
