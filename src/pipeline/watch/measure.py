"""The figures that alerts are judged by, read from the pipeline's tables, and kept in `figures`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pyspark.errors import PySparkException
from pyspark.sql import Row, SparkSession

from pipeline.core.alarm import FeedFigures, HoldFigures, Limits
from pipeline.core.expected import HOUR, WEEKS
from pipeline.core.feed import Feed
from pipeline.core.levels import KEPT, UNUSUAL
from pipeline.core.records import BOOKS, FIGURES, OUTCOMES, RETRY_QUEUE, STREAM_PROGRESS
from pipeline.core.retention import retention, used
from pipeline.settings import Settings
from pipeline.source.locate import locate, table_detail
from pipeline.tables import holds
from pipeline.tables.layout import Layout, layout
from pipeline.tables.rows import append_rows

_OF_LATE: Final = """
SELECT feed, count_if(kind = 'accepted') AS accepted, count_if(kind = 'dead') AS dead,
       count_if(kind = 'request') AS requests,
       count_if(kind = 'request' AND reason IS NOT NULL) AS failed,
       percentile_approx(CASE WHEN kind = 'request' THEN duration_ms END, 0.95) AS slow_ms,
       percentile_approx(age, 0.95) AS freshness, min(age) AS earliest
FROM (SELECT o.feed, o.kind, o.reason, o.duration_ms,
             CASE WHEN o.kind = 'accepted' AND b.feed IS NULL
                  THEN (unix_micros(o.recorded_at) - unix_micros(o.committed_at)) / 1e6 END AS age,
             explode(sequence(1, coalesce(o.packed, 1))) AS message
      FROM {outcomes} o
      LEFT JOIN (SELECT DISTINCT feed, source_version FROM {books} WHERE origin = 'snapshot') b
        ON b.feed = o.feed AND b.source_version = o.source_version
      WHERE o.kind IN ('accepted', 'dead', 'request')
        AND o.recorded_at >= current_timestamp() - INTERVAL 15 MINUTES)
WHERE feed IS NOT NULL GROUP BY feed"""
# A message behind the head of its entity's run waits for the head, whatever its own time says.
_WAITING: Final = """
SELECT feed, sum(waiting) AS waiting,
       (unix_micros(current_timestamp()) - unix_micros(min(oldest))) / 1e6 AS oldest,
       (unix_micros(current_timestamp()) - unix_micros(min(due))) / 1e6 AS due
FROM (SELECT entity_hash, min_by(feed, struct(queued_version, position)) AS feed,
             count(*) AS waiting, min(queued_at) AS oldest,
             min_by(next_attempt_at, struct(queued_version, position)) AS due
      FROM {retry_queue} WHERE kind = 'message' GROUP BY entity_hash)
GROUP BY feed"""
_READ: Final = """
SELECT feed,
       sum(CASE WHEN booked_at >= current_timestamp() - INTERVAL 60 MINUTES
                THEN changes ELSE 0 END) AS changes_hour,
       sum(CASE WHEN booked_at >= current_timestamp() - INTERVAL 60 MINUTES
                THEN deletes ELSE 0 END) AS deletes_hour,
       (unix_micros(current_timestamp()) - unix_micros(max(booked_at))) / 1e6 AS quiet,
       max(source_version) AS source_version
FROM {books} WHERE origin <> 'snapshot' GROUP BY feed"""
_HISTORY: Final = """
SELECT feed, date_trunc('HOUR', booked_at) AS hour, sum(changes) AS changes,
       sum(deletes) AS deletes
FROM {books} WHERE origin = 'commit'
  AND booked_at >= current_timestamp() - INTERVAL {days} DAYS
GROUP BY feed, date_trunc('HOUR', booked_at)"""
# The worst minute of each hour, to compare the minute that is now with.
_LEVELS: Final = """
SELECT feed, metric, date_trunc('HOUR', recorded_at) AS hour, max(value) AS value
FROM {figures} WHERE metric IN ({metrics})
  AND recorded_at >= current_timestamp() - INTERVAL {days} DAYS
GROUP BY feed, metric, date_trunc('HOUR', recorded_at)"""
# Each message has one first outcome, its number 1: so nothing needs to be told apart here.
_MISSING: Final = """
SELECT b.feed, sum(greatest(b.messages - coalesce(o.messages, 0), 0)) AS missing
FROM (SELECT feed, source_version, min_by(messages, booked_at) AS messages
      FROM {books} WHERE origin IN ('snapshot', 'commit')
      GROUP BY feed, source_version
      HAVING min(booked_at) BETWEEN current_timestamp() - INTERVAL 24 HOURS
                                AND current_timestamp() - INTERVAL {seconds} SECONDS) b
LEFT JOIN (SELECT feed, source_version, sum(coalesce(packed, 1)) AS messages FROM {outcomes}
           WHERE kind IN ('accepted', 'queued', 'dead', 'skipped', 'cancelled') AND number = 1
             AND recorded_at >= current_timestamp() - INTERVAL 25 HOURS
           GROUP BY feed, source_version) o
  ON o.feed = b.feed AND o.source_version = b.source_version
GROUP BY b.feed"""
_CHANGING: Final = frozenset({"WRITE", "MERGE", "UPDATE", "DELETE", "STREAMING UPDATE"})
"""Operations that may change rows."""
_ROWS: Final = (
    "numOutputRows", "numUpdatedRows", "numDeletedRows",
    "numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What hardly changes from minute to minute: read once an hour."""

    changes: Mapping[str, Mapping[datetime, float]]
    deletes: Mapping[str, Mapping[datetime, float]]
    levels: Mapping[str, Mapping[str, Mapping[datetime, float]]]
    """By feed and metric: the worst of each hour."""


def history(spark: SparkSession, settings: Settings) -> History:
    """Changes and deletes that were read, by feed and hour; the hour that runs is left out."""
    names, days = _names(layout(settings)), 7 * WEEKS + 2
    sql = _HISTORY.format(**names, days=days)
    changes: dict[str, dict[datetime, float]] = {}
    deletes: dict[str, dict[datetime, float]] = {}
    this_hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for row in spark.sql(sql).collect():
        hour = row["hour"].astimezone(UTC)
        if hour < this_hour:
            changes.setdefault(row["feed"], {})[hour] = float(row["changes"])
            deletes.setdefault(row["feed"], {})[hour] = float(row["deletes"])
    levels: dict[str, dict[str, dict[datetime, float]]] = {}
    metrics = ", ".join(f"'{level.metric}'" for level in UNUSUAL)
    for row in spark.sql(_LEVELS.format(**names, days=days, metrics=metrics)).collect():
        hour = row["hour"].astimezone(UTC)
        if hour < this_hour:
            of_feed = levels.setdefault(row["feed"], {})
            of_feed.setdefault(row["metric"], {})[hour] = float(row["value"])
    return History(changes=changes, deletes=deletes, levels=levels)


def keep(spark: SparkSession, settings: Settings, found: Sequence[FeedFigures]) -> None:
    """Append the figures of a look, in one commit; what is absent has no row."""
    now = datetime.now(UTC)
    rows = [
        {"feed": one.feed, "metric": metric, "value": float(value), "recorded_at": now}
        for one in found
        for metric, figure in KEPT.items()
        if (value := figure(one)) is not None
    ]
    append_rows(spark, layout(settings), FIGURES, rows)


def missing(spark: SparkSession, settings: Settings, limits: Limits) -> dict[str, int]:
    """Messages of the last day that were booked a while ago and have no outcome, by feed."""
    seconds = round(limits.books.total_seconds())
    sql = _MISSING.format(**_names(layout(settings)), seconds=seconds)
    return {row["feed"]: int(row["missing"]) for row in spark.sql(sql).collect()}


def figures(
    spark: SparkSession,
    settings: Settings,
    feeds: Sequence[Feed],
    known: History,
    lost: Mapping[str, int],
) -> tuple[FeedFigures, ...]:
    """The figures of all feeds now."""
    names = _names(layout(settings))
    late, waiting, read = (
        {row["feed"]: row.asDict() for row in spark.sql(sql.format(**names)).collect()}
        for sql in (_OF_LATE, _WAITING, _READ)
    )
    return tuple(
        _figures(
            feed.name,
            late.get(feed.name, {}),
            waiting.get(feed.name, {}),
            read.get(feed.name, {}),
            source=_source(spark, settings, feed, read.get(feed.name, {}).get("source_version")),
            known=known,
            lost=lost.get(feed.name, 0),
        )
        for feed in feeds
    )


def _figures(
    name: str,
    late: Mapping[str, Any],
    waiting: Mapping[str, Any],
    read: Mapping[str, Any],
    *,
    source: "Unread",
    known: History,
    lost: int,
) -> FeedFigures:
    return FeedFigures(
        feed=name,
        waiting=waiting.get("waiting") or 0,
        oldest_seconds=waiting.get("oldest"),
        due_seconds=waiting.get("due"),
        accepted=late.get("accepted") or 0,
        dead=late.get("dead") or 0,
        requests=late.get("requests") or 0,
        failed=late.get("failed") or 0,
        slow_ms=late.get("slow_ms"),
        freshness_seconds=late.get("freshness"),
        earliest_seconds=late.get("earliest"),
        missing=lost,
        unread_seconds=source.seconds,
        retention_used=source.used,
        retention_left_seconds=source.left_seconds,
        changes_hour=read.get("changes_hour"),
        deletes_hour=read.get("deletes_hour"),
        quiet_seconds=read.get("quiet"),
        history=known.changes.get(name, {}),
        deletes=known.deletes.get(name, {}),
        levels=known.levels.get(name, {}),
    )


def held(spark: SparkSession, settings: Settings) -> tuple[HoldFigures, ...]:
    """Holds that have not ended, those whose job stopped meanwhile included."""
    now = datetime.now(UTC)
    return tuple(
        HoldFigures(
            feed=one.noted.feed,
            reason=one.noted.reason,
            seconds=(now - one.noted.began_at).total_seconds(),
            detail=one.noted.detail,
        )
        for one in holds.current(spark, layout(settings))
    )


def drain_seconds(spark: SparkSession, settings: Settings) -> float | None:
    """Since drain's newest report; None where it never made one."""
    place = layout(settings).place(STREAM_PROGRESS).sql
    row = spark.sql(
        "SELECT (unix_micros(current_timestamp()) - unix_micros(max(recorded_at))) / 1e6 "
        f"AS seconds FROM {place} WHERE query = 'drain'"
    ).first()
    return None if row is None or row["seconds"] is None else float(row["seconds"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """What of a source was not read, and how long the source keeps it; None: not known, or none."""

    seconds: float | None = None
    """For how long there has been a commit with changes that was not read."""
    used: float | None = None
    left_seconds: float | None = None


def _source(spark: SparkSession, settings: Settings, feed: Feed, read: int | None) -> Unread:
    if read is None:
        return Unread()
    try:
        table = locate(feed.source, root=settings.sources.root, file=feed.file)
        rows = spark.sql(f"DESCRIBE HISTORY {table.sql} LIMIT 50").collect()
        kept = retention(table_detail(spark, table)["properties"] or {})
    except PySparkException:
        return Unread()  # whoever watches may not read every source
    unread = [row for row in rows if row["version"] > read and changes_rows(row)]
    now = datetime.now(UTC)
    oldest = min((row["timestamp"].astimezone(UTC) for row in unread), default=now)
    age = max(now - oldest, timedelta())
    return Unread(
        seconds=age.total_seconds() if unread else None,
        used=used(age, kept),
        left_seconds=(kept - age).total_seconds(),
    )


def changes_rows(row: Row) -> bool:
    """Whether a commit of a table's history changed rows, as far as its metrics tell."""
    if row["operation"] not in _CHANGING:
        return False
    metrics = row["operationMetrics"] or {}
    names = _ROWS[3:] if row["operation"] == "MERGE" else _ROWS[:3]
    counts = [int(metrics[name]) for name in names if name in metrics]
    return not counts or sum(counts) > 0


def _names(where: Layout) -> dict[str, str]:
    return {table.name: where.place(table).sql for table in (OUTCOMES, BOOKS, RETRY_QUEUE, FIGURES)}


HISTORY_EVERY: Final = HOUR
MISSING_EVERY: Final = timedelta(minutes=10)
