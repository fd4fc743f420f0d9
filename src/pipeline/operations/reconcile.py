"""Close the books: for each feed and version, changes in the source = all states of the ledger.

Three counts are held together: what `deliver` counted at read (books), what the ledger has
(outcomes), and, while the source still has its versions, what the change feed has now.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from pipeline.core.feed import Feed
from pipeline.core.fold import MESSAGE_KINDS
from pipeline.settings import Settings
from pipeline.source.errors import gone
from pipeline.source.locate import locate
from pipeline.source.readable import current_version
from pipeline.source.recount import recount
from pipeline.tables import books
from pipeline.tables.layout import layout
from pipeline.tables.views import reconciliation

STATES: Final = MESSAGE_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One version that does not close."""

    feed: str
    source_version: int
    expected: int
    found: int
    what: str
    """`messages without an outcome`, `changes never read`, or `changes counted otherwise`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedBooks:
    """The books of one feed, all versions together."""

    feed: str
    versions: int
    changes: int
    """Net changes counted at read."""
    recounted: int | None
    """The same counted again in the source; null where its versions are gone."""
    messages: int
    """What the changes become; more than changes where one becomes several calls."""
    accepted: int
    queued: int
    dead: int
    skipped: int
    cancelled: int
    missing: tuple[Missing, ...]

    @property
    def closes(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


def reconcile(
    spark: SparkSession, settings: Settings, feeds: Iterable[Feed], since: datetime | None = None
) -> tuple[FeedBooks, ...]:
    """The books of each feed, with what is missing.

    With *since*, of the versions committed from then on alone, which costs what they cost.
    """
    where, feeds = layout(settings), tuple(feeds)
    booked = {
        feed.name: tuple(books.read_books(spark, where, feed.name).values()) for feed in feeds
    }
    firsts = {name: _first(entries, since) for name, entries in booked.items()}
    rows = {
        (row["feed"], row["source_version"]): row.asDict()
        for row in spark.sql(reconciliation(where, firsts)).collect()
    }
    return tuple(
        _feed_books(
            spark,
            settings,
            feed,
            {v: r for (f, v), r in rows.items() if f == feed.name},
            booked[feed.name],
            firsts[feed.name],
        )
        for feed in feeds
    )


def _first(entries: Sequence[books.Entry], since: datetime | None) -> int:
    """The first source version asked for; where none was booked since, the next one."""
    if since is None:
        return books.FIRST
    dated = [(e.source_version, e.committed_at) for e in entries if e.committed_at is not None]
    asked = [version for version, at in dated if at >= since]
    return min(asked, default=max((version for version, _ in dated), default=books.FIRST) + 1)


def _feed_books(
    spark: SparkSession,
    settings: Settings,
    feed: Feed,
    rows: dict[int, dict[str, int]],
    entries: Sequence[books.Entry],
    first: int,
) -> FeedBooks:
    missing = [
        Missing(
            feed=feed.name,
            source_version=version,
            expected=row["messages"],
            found=row["messages"] - row["missing"],
            what="messages without an outcome",
        )
        for version, row in sorted(rows.items())
        if row["missing"]
    ]
    again = _recount(spark, settings, feed, entries, first)
    if again is not None:
        missing += _differences(feed.name, rows, again)
    return FeedBooks(
        feed=feed.name,
        versions=len(rows),
        changes=sum(row["changes"] for row in rows.values()),
        recounted=None if again is None else sum(again.values()),
        messages=sum(row["messages"] for row in rows.values()),
        **{state: sum(row[state] for row in rows.values()) for state in STATES},
        missing=tuple(missing),
    )


def _recount(
    spark: SparkSession,
    settings: Settings,
    feed: Feed,
    entries: Sequence[books.Entry],
    first: int,
) -> dict[int, int] | None:
    """Net changes by version, counted in the source itself from the feed's start on, or *first*."""
    pins = [e for e in entries if e.origin in {books.START, books.PINNED}]
    if not pins:
        return {}
    table = locate(feed.source, root=settings.sources.root, file=feed.file)
    start = pins[0].source_version
    newest = current_version(spark, table)
    try:
        begin = max(start + 1, first)
        counts = recount(spark, table, feed, begin, newest) if newest >= begin else ()
        counted = {count.version: count.changes for count in counts}
        if pins[0].origin == books.PINNED and first <= start:
            counted[start] = table.read(spark.read.option("versionAsOf", start)).count()
    except PySparkException as error:
        if gone(error):
            return None
        raise
    return {version: changes for version, changes in counted.items() if changes}


def _differences(
    feed: str, rows: dict[int, dict[str, int]], again: dict[int, int]
) -> list[Missing]:
    found = []
    for version in sorted(rows.keys() | again.keys()):
        booked = rows.get(version, {}).get("changes", 0)
        if booked != again.get(version, 0):
            found.append(
                Missing(
                    feed=feed,
                    source_version=version,
                    expected=again.get(version, 0),
                    found=booked,
                    what="changes counted otherwise" if booked else "changes never read",
                )
            )
    return found


def as_json(found: Sequence[FeedBooks]) -> list[dict[str, object]]:
    """The same as JSON values."""
    return [{**asdict(one), "closes": one.closes} for one in found]
