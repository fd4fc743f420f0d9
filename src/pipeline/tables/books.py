"""The books: changes counted at read. One row a feed and version counts; a difference alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.core.fold import MESSAGE_KINDS
from pipeline.core.records import BOOKS, OUTCOMES
from pipeline.tables.alerts import Alert, alert
from pipeline.tables.layout import Layout
from pipeline.tables.rows import append_rows
from pipeline.tables.unpacked import unpacked

FIRST = -1
"""A feed that starts with version 0 is pinned after version -1."""
START, PINNED, SNAPSHOT, COMMIT = "start", "pinned", "snapshot", "commit"
"""Origins: a start without rows of its own, a snapshot that was chosen, its rows, a commit's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one version of a feed's source came to."""

    source_version: int
    origin: str
    """start, pinned, snapshot or commit."""
    changes: int
    deletes: int
    messages: int
    committed_at: datetime | None


def read_books(
    spark: SparkSession, where: Layout, feed: str, first: int = FIRST, last: int | None = None
) -> dict[tuple[int, str], Entry]:
    """The entries of a feed, by version and origin; of two for one, the first that was booked."""
    rows = where.place(BOOKS).read(spark).where(F.col("feed") == feed)
    rows = rows.where(F.col("source_version") >= first)
    if last is not None:
        rows = rows.where(F.col("source_version") <= last)
    entries: dict[tuple[int, str], Entry] = {}
    for row in rows.orderBy("booked_at").collect():
        at = row["committed_at"]
        entries.setdefault(
            (row["source_version"], row["origin"]),
            Entry(
                source_version=row["source_version"],
                origin=row["origin"],
                changes=row["changes"],
                deletes=row["deletes"],
                messages=row["messages"],
                committed_at=at and at.astimezone(UTC),  # Spark's rows have the machine's zone
            ),
        )
    return entries


def last_version(spark: SparkSession, where: Layout, feed: str) -> int | None:
    """The newest source version that the feed has in its books."""
    rows = where.place(BOOKS).read(spark).where(F.col("feed") == feed)
    row = rows.agg(F.max("source_version").alias("last")).first()
    return None if row is None else row["last"]


def book(
    spark: SparkSession,
    where: Layout,
    feed: str,
    table_id: str,
    entries: Sequence[Entry],
    *,
    are_new: bool = False,
) -> int:
    """Book what is not booked yet; how many entries differ from the books, each an alert.

    Where nothing of these versions can be booked (*are_new*), the books need not be read.
    """
    if not entries:
        return 0
    versions = [entry.source_version for entry in entries]
    known = {} if are_new else read_books(spark, where, feed, min(versions), max(versions))
    now = datetime.now(UTC)
    new = [e for e in entries if (e.source_version, e.origin) not in known]
    append_rows(
        spark,
        where,
        BOOKS,
        [
            {
                "feed": feed,
                "table_id": table_id,
                "source_version": e.source_version,
                "origin": e.origin,
                "changes": e.changes,
                "deletes": e.deletes,
                "messages": e.messages,
                "committed_at": e.committed_at,
                "booked_at": now,
            }
            for e in new
        ],
    )
    differing = [
        (e, old)
        for e in entries
        if (old := known.get((e.source_version, e.origin))) is not None
        and (old.changes, old.messages) != (e.changes, e.messages)
    ]
    alert(
        spark,
        where,
        *(
            Alert(
                alert="books.differ",
                severity="critical",
                feed=feed,
                metric="messages",
                value=e.messages,
                expected=str(old.messages),
                detail=f"source version {e.source_version} counts differently when read again",
            )
            for e, old in differing
        ),
    )
    return len(differing)


def table_ids(spark: SparkSession, where: Layout, feed: str) -> frozenset[str]:
    """Ids of the source tables that the feed's books are of; none where it has not begun."""
    rows = where.place(BOOKS).read(spark).where(F.col("feed") == feed)
    return frozenset(row["table_id"] for row in rows.select("table_id").distinct().collect())


def begun(spark: SparkSession, where: Layout) -> frozenset[str]:
    """Feeds that have books."""
    rows = where.place(BOOKS).read(spark).select("feed").distinct()
    return frozenset(row["feed"] for row in rows.collect())


def recorded(
    spark: SparkSession, where: Layout, feed: str, first: int = FIRST, last: int | None = None
) -> dict[int, int]:
    """Messages of the feed that have an outcome, by source version."""
    rows = (
        unpacked(where.place(OUTCOMES).read(spark))
        .where(F.col("kind").isin(*MESSAGE_KINDS) & (F.col("feed") == feed))
        .where(F.col("source_version") >= first)
    )
    if last is not None:
        rows = rows.where(F.col("source_version") <= last)
    counted = rows.groupBy("source_version").agg(F.countDistinct("message_id").alias("messages"))
    return {row["source_version"]: row["messages"] for row in counted.collect()}


def resume_after(spark: SparkSession, where: Layout, feed: str) -> int | None:
    """The version after which a new checkpoint resumes: before the first that does not close.

    None when nothing of the feed was ever booked.
    """
    entries = read_books(spark, where, feed)
    if not entries:
        return None
    found = recorded(spark, where, feed)
    unclosed = [
        e.source_version
        for e in entries.values()
        if e.origin == COMMIT and found.get(e.source_version, 0) < e.messages
    ]
    if unclosed:
        return min(unclosed) - 1
    return max(e.source_version for e in entries.values())
