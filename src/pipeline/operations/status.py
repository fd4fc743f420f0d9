"""How things stand now, read from the pipeline's tables: what `pipeline status` prints."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from pipeline.core.feed import Feed
from pipeline.core.records import BOOKS, OUTCOMES
from pipeline.settings import Settings
from pipeline.source.feed_files import load_feeds
from pipeline.source.locate import locate
from pipeline.source.readable import current_version
from pipeline.tables import leases
from pipeline.tables.first_load import progress_file, read_progress
from pipeline.tables.layout import layout
from pipeline.tables.views import make_session_views

# Each message has one first outcome, its number 1, and that is not older than its books.
_BOOKS: Final = """
SELECT b.feed, sum(b.messages) AS messages, sum(coalesce(o.messages, 0)) AS recorded
FROM (SELECT feed, source_version, min_by(messages, booked_at) AS messages
      FROM {books} WHERE origin IN ('snapshot', 'commit')
        AND booked_at >= current_timestamp() - INTERVAL 24 HOURS
      GROUP BY feed, source_version) b
LEFT JOIN (SELECT feed, source_version, sum(coalesce(packed, 1)) AS messages FROM {outcomes}
           WHERE kind IN ('accepted', 'queued', 'dead', 'skipped', 'cancelled') AND number = 1
             AND recorded_at >= current_timestamp() - INTERVAL 24 HOURS
           GROUP BY feed, source_version) o
  ON o.feed = b.feed AND o.source_version = b.source_version
GROUP BY b.feed"""
_ERRORS: Final = """
SELECT status, reason, answer, sum(requests) AS requests, max(newest) AS newest
FROM metric_answers WHERE minute >= current_timestamp() - INTERVAL 1 HOURS
GROUP BY status, reason, answer ORDER BY newest DESC LIMIT 5"""
_CIRCUITS: Final = """
SELECT coalesce(feed, 'several') AS feed, job, max_by(state, minute) AS state
FROM metric_circuits GROUP BY 1, 2"""
_QUERIES: Final = """
SELECT query, max_by(p50_ms, minute) AS p50_ms, max(newest) AS newest
FROM metric_progress GROUP BY query"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """One feed. None is: not known, or nothing yet."""

    feed: str
    source_version: int | None
    """The source's newest commit."""
    read_version: int | None
    """The newest commit that was read and had changes."""
    accepted_at: datetime | None
    accepted_15m: int
    accepted_24h: int
    dead_24h: int
    waiting: int
    oldest_seconds: float | None
    freshness_p95_s: float | None
    open_messages: int
    """Booked in the last day and without an outcome: under way, or missing."""
    holder: str | None
    """Who holds its lease: the job that delivers it."""
    first_load: tuple[int, int] | None = None
    """Parts of the table's first load that are done, of how many, while it goes on."""

    @property
    def behind(self) -> int | None:
        """Commits of the source that were not read, at most: some of them may change nothing."""
        if self.source_version is None or self.read_version is None:
            return None
        return max(self.source_version - self.read_version, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything that one screen shows."""

    target: str
    at: datetime
    feeds: tuple[FeedStatus, ...]
    drain: str | None
    """Who holds drain's lease."""
    queue: tuple[Mapping[str, Any], ...]
    """By feed and reason: waiting, due, oldest."""
    holds: tuple[Mapping[str, Any], ...]
    """Holds that have not ended."""
    circuits: tuple[Mapping[str, Any], ...]
    errors: tuple[Mapping[str, Any], ...]
    """Failed requests of the last hour, by what the API said."""
    queries: tuple[Mapping[str, Any], ...]
    alerts: tuple[Mapping[str, Any], ...]
    """Alerts that fire."""


def status(spark: SparkSession, settings: Settings) -> Status:
    """Read it all, once; nothing is written."""
    where = layout(settings)
    make_session_views(spark, where, with_metrics=True)
    held = leases.holders(spark, where)
    names = {table.name: where.place(table).sql for table in (BOOKS, OUTCOMES)}
    booked = {row["feed"]: row for row in _rows(spark, _BOOKS.format(**names))}
    glance = {row["feed"]: row for row in _rows(spark, "SELECT * FROM metric_feeds")}
    feeds = load_feeds(Path(settings.sources.feeds))
    return Status(
        target=settings.target,
        at=datetime.now(UTC),
        feeds=tuple(
            _feed(
                feed.name,
                glance.get(feed.name, {}),
                booked.get(feed.name, {}),
                source_version=_source_version(spark, settings, feed),
                holder=held.get(f"deliver/{feed.name}"),
                first_load=_first_load(settings, feed),
            )
            for feed in feeds
        ),
        drain=held.get("drain"),
        queue=_rows(spark, "SELECT * FROM metric_queue ORDER BY waiting DESC LIMIT 8"),
        holds=_rows(spark, "SELECT * FROM current_holds"),
        circuits=_rows(spark, _CIRCUITS),
        errors=_rows(spark, _ERRORS),
        queries=_rows(spark, _QUERIES),
        alerts=_rows(spark, "SELECT * FROM metric_alerts WHERE state = 'firing' ORDER BY since"),
    )


def as_json(found: Status) -> dict[str, Any]:
    """The same as JSON values, times aside."""
    feeds = [{**asdict(one), "behind": one.behind} for one in found.feeds]
    return {**asdict(found), "feeds": feeds}


def _feed(
    name: str,
    glance: Mapping[str, Any],
    booked: Mapping[str, Any],
    *,
    source_version: int | None,
    holder: str | None,
    first_load: tuple[int, int] | None,
) -> FeedStatus:
    missing = (booked.get("messages") or 0) - (booked.get("recorded") or 0)
    return FeedStatus(
        feed=name,
        source_version=source_version,
        read_version=glance.get("source_version"),
        accepted_at=glance.get("accepted_at"),
        accepted_15m=glance.get("accepted_15m") or 0,
        accepted_24h=glance.get("accepted_24h") or 0,
        dead_24h=glance.get("dead_24h") or 0,
        waiting=glance.get("waiting") or 0,
        oldest_seconds=glance.get("oldest_seconds"),
        freshness_p95_s=glance.get("freshness_p95_s"),
        open_messages=max(missing, 0),
        holder=holder,
        first_load=first_load,
    )


def _first_load(settings: Settings, feed: Feed) -> tuple[int, int] | None:
    kept = read_progress(progress_file(settings.tables.checkpoints, feed.name))
    return None if kept is None else (kept.done, kept.parts)


def _source_version(spark: SparkSession, settings: Settings, feed: Feed) -> int | None:
    """The source's newest commit; None where it cannot be read from here."""
    table = locate(feed.source, root=settings.sources.root, file=feed.file)
    try:
        return current_version(spark, table)
    except PySparkException:
        return None


def _rows(spark: SparkSession, sql: str) -> tuple[dict[str, Any], ...]:
    return tuple(row.asDict() for row in spark.sql(sql).collect())
