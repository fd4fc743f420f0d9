"""Remove rows that nobody needs any more; what is still needed stays, however old it is.

Books and outcomes go together: the books of a feed begin anew after the last version that is
closed and old, and the outcomes up to there go with it. What a version is closed by are end
states; a queued message or a dead letter keeps it open.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.fold import MESSAGE_KINDS
from pipeline.core.records import (
    ALERTS,
    BOOKS,
    COMMANDS,
    FIGURES,
    OUTCOMES,
    STREAM_PROGRESS,
    Table,
)
from pipeline.settings import Retention
from pipeline.tables import books, outcomes
from pipeline.tables.layout import Layout, literal
from pipeline.tables.refusal import is_conflict
from pipeline.tables.unpacked import unpacked

ENDED: Final = ("accepted", "skipped", "cancelled")
MAY_HOLD: Final = ("queued", "dead", "cancelled")
"""Kinds of outcomes that may hold a payload: other partitions are left alone."""
TRIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What one step did to one table; *rows* is None where others' appends kept it from it."""

    table: str
    what: str
    rows: int | None


def spend_payloads(spark: SparkSession, where: Layout) -> Removed:
    """Take out payloads that nothing will be sent from: of ended messages, and of older rows."""
    place = where.place(OUTCOMES)
    rows = outcomes.of_waited(place.read(spark))
    holding = rows.where(F.col("kind").isin(*MAY_HOLD) & F.col("payload").isNotNull())
    ids = holding.select("message_id").distinct()
    newest = (
        rows.where(F.col("kind").isin(*MESSAGE_KINDS))
        .join(ids, "message_id", "semi")
        .groupBy("message_id")
        .agg(F.max(F.struct("number", "kind")).alias("newest"))
    )
    needed = (F.col("number") == F.col("newest.number")) & ~F.col("newest.kind").isin(*ENDED)
    spent = holding.join(newest, "message_id").where(~needed).select("message_id", "number")
    found = spent.toArrow()
    if found.num_rows:
        source = spark.createDataFrame(found).selectExpr("message_id", "CAST(number AS INT) number")
        kinds = ", ".join(f"'{kind}'" for kind in MAY_HOLD)
        clauses = (
            f"ON q.kind IN ({kinds}) AND q.message_id = s.message_id AND q.number = s.number "
            "WHEN MATCHED THEN UPDATE SET q.payload = NULL, q.payload_key_id = NULL"
        )
        if not _tried(lambda: place.merge(spark, source, clauses)):
            return Removed(table=OUTCOMES.name, what="payloads", rows=None)
    return Removed(table=OUTCOMES.name, what="payloads", rows=found.num_rows)


def remove_old(
    spark: SparkSession, where: Layout, keep: Retention, now: datetime | None = None
) -> tuple[Removed, ...]:
    """Remove what is older than its table's retention."""
    now = now if now is not None else datetime.now(UTC)
    reports = "kind IN ('request', 'task')"
    done = [
        _delete(spark, where, OUTCOMES, "requests", keep.requests, now, reports),
        _delete(spark, where, COMMANDS, "rows", keep.commands, now),
        _delete(spark, where, STREAM_PROGRESS, "rows", keep.stream_progress, now),
        _delete(spark, where, ALERTS, "rows", keep.alerts, now),
        _delete(spark, where, FIGURES, "rows", keep.figures, now),
    ]
    if keep.ledger is not None:
        dead_before = None if keep.dead is None else now - keep.dead
        done += _close(spark, where, now - keep.ledger, dead_before)
    return tuple(one for one in done if one is not None)


def _delete(
    spark: SparkSession,
    where: Layout,
    table: Table,
    what: str,
    keep: timedelta | None,
    now: datetime,
    only: str = "true",
) -> Removed | None:
    if keep is None:
        return None
    before = f"recorded_at < TIMESTAMP '{(now - keep).astimezone(UTC).isoformat()}'"
    return _delete_where(spark, where, table, what, f"{before} AND {only}")


def _delete_where(
    spark: SparkSession, where: Layout, table: Table, what: str, condition: str
) -> Removed:
    place = where.place(table)
    rows = place.read(spark).where(condition).count()
    done = not rows or _tried(lambda: spark.sql(f"DELETE FROM {place.sql} WHERE {condition}"))
    return Removed(table=table.name, what=what, rows=rows if done else None)


def _close(
    spark: SparkSession, where: Layout, before: datetime, dead_before: datetime | None
) -> list[Removed]:
    """Begin each feed's books after the last version that is closed and old."""
    closed = closed_upto(spark, where, before, dead_before)
    done = []
    for feed, version in closed.items():
        entries = books.read_books(spark, where, feed)
        pins = [e for e in entries.values() if e.origin in {books.START, books.PINNED}]
        if not pins or version <= pins[0].source_version:
            continue
        newest = max(entries.values(), key=lambda e: e.source_version)
        table_id = _table_id(spark, where, feed)
        start = books.Entry(
            source_version=version,
            origin=books.START,
            changes=0,
            deletes=0,
            messages=0,
            committed_at=newest.committed_at,
        )
        books.book(spark, where, feed, table_id, [start])
        ours = f"feed = {literal(feed)} AND source_version <= {version}"
        begins = f"origin = {literal(books.START)} AND source_version = {version}"
        done.append(_delete_where(spark, where, BOOKS, "versions", f"{ours} AND NOT ({begins})"))
        ours += f" AND kind IN ({', '.join(map(repr, MESSAGE_KINDS))})"
        done.append(_delete_where(spark, where, OUTCOMES, "outcomes", ours))
    return done


def closed_upto(
    spark: SparkSession, where: Layout, before: datetime, dead_before: datetime | None
) -> dict[str, int]:
    """By feed: the last version up to which every message has ended, and ended before *before*."""
    ledger = (
        unpacked(where.place(OUTCOMES).read(spark))
        .where(F.col("kind").isin(*MESSAGE_KINDS))
        .groupBy("feed", "source_version", "message_id")
        .agg(F.max(F.struct("number", "kind", "recorded_at")).alias("newest"))
    )
    over = F.col("newest.kind").isin(*ENDED) & (F.col("newest.recorded_at") < F.lit(before))
    if dead_before is not None:
        over |= (F.col("newest.kind") == "dead") & (
            F.col("newest.recorded_at") < F.lit(dead_before)
        )
    ended = ledger.where(over).groupBy("feed", "source_version").agg(F.count("*").alias("ended"))
    booked = (
        where.place(BOOKS)
        .read(spark)
        .where(F.col("origin").isin(books.COMMIT, books.SNAPSHOT))
        .groupBy("feed", "source_version")
        .agg(F.min_by("messages", "booked_at").alias("messages"), F.max("booked_at").alias("at"))
    )
    versions = booked.join(ended, ["feed", "source_version"], "left").select(
        "feed",
        "source_version",
        (
            (F.coalesce("ended", F.lit(0)) >= F.col("messages")) & (F.col("at") < F.lit(before))
        ).alias("closed"),
    )
    return _prefix(versions)


def _prefix(versions: DataFrame) -> dict[str, int]:
    """The last closed version before the first open one, by feed; never the newest of all."""
    found: dict[str, int] = {}
    stopped: set[str] = set()
    newest = {
        row["feed"]: row["v"]
        for row in versions.groupBy("feed").agg(F.max("source_version").alias("v")).collect()
    }
    for row in versions.orderBy("feed", "source_version").collect():
        feed, version = row["feed"], row["source_version"]
        if not row["closed"] or version == newest[feed]:
            stopped.add(feed)
        if feed not in stopped:
            found[feed] = version
    return found


def _table_id(spark: SparkSession, where: Layout, feed: str) -> str:
    rows = where.place(BOOKS).read(spark).where(F.col("feed") == feed)
    row = rows.agg(F.max_by("table_id", "booked_at").alias("id")).first()
    return "" if row is None else str(row["id"])


def _tried(act: Callable[[], object]) -> bool:
    """Whether it was done: Delta refuses it where an append to the same partitions came between."""
    for _ in range(TRIES):
        try:
            act()
        except PySparkException as error:
            if not is_conflict(error):
                raise
        else:
            return True
    return False
