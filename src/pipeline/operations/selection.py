"""Which changes of a source table somebody wants to look at: rows, versions, a sample."""

from dataclasses import dataclass
from typing import Final

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.feed import Feed, FeedError
from pipeline.settings import Settings
from pipeline.source.check import check_where_it_is
from pipeline.source.checked import CheckedFeed
from pipeline.source.errors import gone
from pipeline.source.net import net
from pipeline.source.readable import current_version, read_changes
from pipeline.source.start import snapshot_changes
from pipeline.source.view import PREFIX

_NET: Final = f"{PREFIX}net"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which changes. Without versions: the table as it is, all rows as inserts."""

    first: int | None = None
    """From this commit version on."""
    last: int | None = None
    """To this one, which is included; none: to the newest."""
    where: str | None = None
    """SQL over the table's columns (for a delete: over the row that went)."""
    sample: int | None = None
    """At most so many, chosen by a hash of their keys: the same ones each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """Net changes that were chosen."""

    netted: DataFrame
    total: int
    """Net changes before sampling."""
    taken: int
    """Net changes after it."""
    words: str
    """What was chosen, for people."""


def checked_feed(spark: SparkSession, settings: Settings, feed: Feed) -> CheckedFeed:
    """A feed held against its table; its start may be gone, since nothing is started.

    Raises:
        FeedError: it does not fit its table.
    """
    return check_where_it_is(spark, settings, feed, begun=True)


def select(spark: SparkSession, checked: CheckedFeed, choice: Choice, partitions: int) -> Selected:
    """The net changes that *choice* means.

    Raises:
        FeedError: a version is not there, or the filter cannot be used.
    """
    changes, words = _changes(spark, checked, choice)
    netted = net(changes, checked.feed, partitions=partitions)
    if choice.where is not None:
        netted = _filtered(netted, checked, choice.where)
        words += f" where {choice.where}"
    total = taken = netted.count()
    if choice.sample is not None and total > choice.sample:
        taken = choice.sample
        hashed = F.xxhash64("key", "source_version", "operation", "ordinal")
        netted = netted.orderBy(hashed).limit(taken)
        words += f", a sample of {taken:,} of {total:,} changes"
    return Selected(netted=netted, total=total, taken=taken, words=words)


def _changes(spark: SparkSession, checked: CheckedFeed, choice: Choice) -> tuple[DataFrame, str]:
    current = current_version(spark, checked.table)
    if choice.first is None and choice.last is None:
        return (
            snapshot_changes(spark, checked.table, current),
            f"the whole table at version {current}, all rows as inserts",
        )
    first = choice.first if choice.first is not None else choice.last or 0
    last = current if choice.last is None else choice.last
    if not 0 <= first <= last <= current:
        raise FeedError(
            f"{checked.feed.file}: versions {first} to {last}: the table is at version {current}; "
            f"give versions between 0 and {current}, the first one first"
        )
    try:
        changes = read_changes(spark, checked.table, first, last)
        changes.limit(1).count()
    except Exception as error:  # a failed job may come as the bridge's own error
        if gone(error):
            raise FeedError(
                f"{checked.feed.file}: versions {first} to {last} of the change feed cannot be "
                "read any more (vacuumed, or from before the change feed was on); choose later "
                "versions, or none for the table as it is"
            ) from error
        raise
    versions = f"version {first}" if first == last else f"versions {first} to {last}"
    return changes, f"the changes of {versions}"


def _filtered(netted: DataFrame, checked: CheckedFeed, where: str) -> DataFrame:
    whole = F.struct(*netted.columns).alias(_NET)
    row = [F.col("row").getField(name).alias(name) for name in checked.schema.names]
    try:
        return netted.select(whole, *row).where(F.expr(where)).select(f"{_NET}.*")
    except AnalysisException as error:
        reason = str(error).split(" SQLSTATE")[0].splitlines()[0]
        raise FeedError(f"--where {where}: {reason}") from error
