"""How complete the mapped columns are, and what orders are worth: the versions that were booked.

Looked at once an hour, beside the streams: one pass over the few columns of the versions that the
books have got since. The figures go to `figures`; a source that cannot be read has none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.core.feed import Feed, FeedError
from pipeline.core.mapped import mapped_columns, order_worth
from pipeline.core.records import BOOKS, FIGURES
from pipeline.log import logger
from pipeline.settings import Settings
from pipeline.source.feed_files import load_feeds
from pipeline.source.locate import locate
from pipeline.source.net import CHANGE_TYPE, quoted
from pipeline.source.readable import read_changes
from pipeline.tables.layout import layout
from pipeline.tables.rows import append_rows

EVERY: Final = timedelta(hours=1)
UPTO: Final = "looked_upto_version"
ROWS, FILLED, ORDERS, WORTH = "rows", "filled", "orders_read", "orders_worth"
NEW: Final = ("insert", "update_postimage")
FIRST: Final = timedelta(hours=24)
"""How far back the first look goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Versions of a feed's source that were booked and not looked at."""

    first: int
    last: int


def look(spark: SparkSession, settings: Settings) -> int:
    """Look at what was booked since the last time; how many feeds had something."""
    spans, rows = _spans(spark, settings), []
    now = datetime.now(UTC)
    for feed in load_feeds(Path(settings.sources.feeds)):
        if (span := spans.get(feed.name)) is None:
            continue
        try:
            found = list(_of(spark, settings, feed, span))
        except (PySparkException, FeedError) as error:
            logger(feed=feed.name).warning("quality.not_read", error=type(error).__name__)
            found = []
        found.append({"metric": UPTO, "value": float(span.last)})
        rows += [{"feed": feed.name, "recorded_at": now, **one} for one in found]
    append_rows(spark, layout(settings), FIGURES, rows)
    return len(spans)


def _spans(spark: SparkSession, settings: Settings) -> dict[str, Span]:
    where = layout(settings)
    sql = f"""
    SELECT b.feed, min(b.source_version) AS first, max(b.source_version) AS last
    FROM {where.place(BOOKS).sql} b
    LEFT JOIN (SELECT feed, max(value) AS upto FROM {where.place(FIGURES).sql}
               WHERE metric = '{UPTO}' GROUP BY feed) f ON f.feed = b.feed
    WHERE b.origin = 'commit' AND b.source_version > coalesce(f.upto, -1)
      AND b.booked_at >= current_timestamp() - INTERVAL {FIRST.total_seconds():.0f} SECONDS
    GROUP BY b.feed"""
    return {r["feed"]: Span(first=r["first"], last=r["last"]) for r in spark.sql(sql).collect()}


def _of(
    spark: SparkSession, settings: Settings, feed: Feed, span: Span
) -> Iterator[Mapping[str, Any]]:
    """Counts, not shares, so that those of several looks can be added."""
    table = locate(feed.source, root=settings.sources.root, file=feed.file)
    changes = read_changes(spark, table, span.first, span.last)
    names = mapped_columns(feed, {name.lower(): name for name in changes.columns})
    new = F.col(CHANGE_TYPE).isin(*NEW)
    counts = [F.count(F.when(new, quoted(name))).alias(f"c{n}") for n, name in enumerate(names)]
    worth = order_worth(feed)
    orders = F.when(F.col(CHANGE_TYPE) == "insert", F.expr(worth)) if worth else F.lit(None)
    row = changes.agg(
        F.count_if(new).alias("rows"),
        F.count(orders).alias("orders"),
        F.sum(orders).alias("worth"),
        *counts,
    ).collect()[0]
    if row["rows"]:
        for number, name in enumerate(names):
            yield {"metric": ROWS, "field": name, "value": float(row["rows"])}
            yield {"metric": FILLED, "field": name, "value": float(row[f"c{number}"])}
    if row["worth"] is not None:
        yield {"metric": ORDERS, "value": float(row["orders"])}
        yield {"metric": WORTH, "value": float(row["worth"])}
