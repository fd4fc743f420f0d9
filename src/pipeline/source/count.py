"""Count changes at read: what the books say that each version must come to."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from pipeline.core.feed import OPERATIONS, Feed
from pipeline.source.net import CHANGE_TYPE, TIMESTAMP, VERSION, net, quoted

HASHED_HERE: Final = 4_000_000
"""Rows whose key hashes this process compares itself: 32 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCount:
    """One commit version of a micro-batch, counted."""

    version: int
    committed_at: datetime
    changes: int
    """Net changes."""
    deletes: int
    """Deletes among them."""
    messages: int
    """Messages that the changes become, the skipped ones among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A micro-batch, counted by version in rising order."""

    versions: tuple[VersionCount, ...]
    unique_inserts: bool
    """Nothing but inserts, each of a row key of its own: `net` may spare its shuffle."""

    @property
    def changes(self) -> int:
        """Net changes of all versions."""
        return sum(version.changes for version in self.versions)

    @property
    def messages(self) -> int:
        """Messages of all versions."""
        return sum(version.messages for version in self.versions)


def count_changes(changes: DataFrame, feed: Feed, *, partitions: int = 2) -> Counted:
    """Count the net changes of a change feed (or snapshot) by version.

    One pass over the few columns that it needs where all are inserts of different keys, which is
    what append-only tables have; a second one, with net's shuffle, elsewhere.
    """
    versions = (
        changes.groupBy(VERSION, TIMESTAMP)
        .agg(
            F.count(F.lit(1)).alias("rows"),
            F.count_if(F.col(CHANGE_TYPE) == "insert").alias("inserts"),
        )
        .collect()
    )
    rows = sum(row["rows"] for row in versions)
    if all(row["rows"] == row["inserts"] for row in versions) and _different(changes, feed, rows):
        counts = [
            Row(source_version=v[VERSION], committed_at=v[TIMESTAMP], operation="insert", count=n)
            for v in versions
            if (n := v["rows"])
        ]
        return Counted(versions=summed(counts, feed), unique_inserts=True)
    counted = (
        net(changes, feed, partitions=partitions)
        .groupBy("source_version", "committed_at", "operation")
        .count()
        .collect()
    )
    return Counted(versions=summed(counted, feed), unique_inserts=False)


def _different(changes: DataFrame, feed: Feed, rows: int) -> bool:
    """Whether each row has a key of its own within its version.

    A hash that two keys share says no, which only costs the longer way. Up to `HASHED_HERE` rows
    the hashes are compared in this process, eight bytes each: that spares a shuffle and Spark's
    hash table. More are counted by Spark.
    """
    if not feed.row_key:
        return False
    hashed = F.xxhash64(VERSION, *(quoted(name) for name in feed.row_key)).alias("hash")
    if rows > HASHED_HERE:
        found = changes.agg(F.count_distinct(hashed).alias("different")).first()
        return found is not None and found["different"] == rows
    hashes = np.sort(changes.select(hashed).toArrow()["hash"].to_numpy())
    return not bool(np.any(hashes[1:] == hashes[:-1]))


def summed(counts: Iterable[Row], feed: Feed) -> tuple[VersionCount, ...]:
    """Rows of source_version, committed_at, operation, count to one value a version.

    How many messages a change becomes depends on its operation alone, so counts are enough.
    """
    times: dict[int, datetime] = {}
    found: defaultdict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(OPERATIONS, 0))
    for row in counts:
        times[row["source_version"]] = row["committed_at"]
        found[row["source_version"]][row["operation"]] += row["count"]
    return tuple(
        VersionCount(
            version=version,
            committed_at=times[version],
            changes=sum(by_operation.values()),
            deletes=by_operation["delete"],
            messages=sum(by_operation[one] * feed.messages(one) for one in OPERATIONS),
        )
        for version, by_operation in sorted(found.items())
    )
