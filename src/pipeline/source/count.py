"""Count changes at read: what the books say that each version must come to."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from pipeline.core.feed import OPERATIONS, Feed
from pipeline.source.net import CHANGE_TYPE, TIMESTAMP, VERSION, net, quoted

HASHED_HERE: Final = 4_000_000
"""Rows whose key hashes this process compares itself: 32 MB."""

_PART_DDL: Final = "version bigint, at timestamp, rows bigint, inserts bigint, hashes binary"
"""What a task saw of a version: how many rows, inserts among them, and the hashes of their keys."""
_PART: Final = pa.schema(
    [
        ("version", pa.int64()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("rows", pa.int64()),
        ("inserts", pa.int64()),
        ("hashes", pa.binary()),
    ]
)


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
    if feed.row_key and (counts := _unique_inserts(changes, feed)) is not None:
        return Counted(versions=summed(counts, feed), unique_inserts=True)
    counted = (
        net(changes, feed, partitions=partitions)
        .groupBy("source_version", "committed_at", "operation")
        .count()
        .collect()
    )
    return Counted(versions=summed(counted, feed), unique_inserts=False)


def _unique_inserts(changes: DataFrame, feed: Feed) -> list[Row] | None:
    """The counts of changes that are inserts of different keys; None where they are not."""
    key = F.xxhash64(VERSION, *(quoted(name) for name in feed.row_key))
    seen = changes.select(
        F.col(VERSION).alias("version"),
        F.col(TIMESTAMP).alias("at"),
        F.when(F.col(CHANGE_TYPE) == "insert", key).alias("hash"),
    )
    parts = seen.mapInArrow(_part, _PART_DDL).toArrow().to_pylist()
    rows, inserts = sum(part["rows"] for part in parts), sum(part["inserts"] for part in parts)
    if rows != inserts or not _different(seen, parts, rows):
        return None
    times: dict[int, datetime] = {part["version"]: part["at"] for part in parts}
    numbers: Counter[int] = Counter()
    for part in parts:
        numbers[part["version"]] += part["rows"]
    return [
        Row(source_version=v, committed_at=times[v], operation="insert", count=n)
        for v, n in numbers.items()
    ]


def _part(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Sum up a task's rows by version. Hashes of more than `HASHED_HERE` rows are left to Spark."""
    found: dict[int, list[Any]] = {}
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        versions = pc.unique(batch["version"]).to_pylist()
        for version in versions:
            alone = len(versions) == 1
            of_it = batch if alone else batch.filter(pc.equal(batch["version"], version))
            hashes = of_it["hash"].drop_null()  # of inserts alone
            one = found.setdefault(version, [of_it["at"][0], 0, 0, []])
            one[1] += of_it.num_rows
            one[2] += len(hashes)
            if rows <= HASHED_HERE:
                one[3].append(hashes.to_numpy().tobytes())
    kept = rows <= HASHED_HERE
    made = [
        {"version": version, "at": at.as_py(), "rows": n, "inserts": inserts, "hashes": hashes}
        for version, (at, n, inserts, parts) in found.items()
        for hashes in [b"".join(parts) if kept else None]
    ]
    yield pa.RecordBatch.from_pylist(made, _PART)


def _different(seen: DataFrame, parts: list[dict[str, Any]], rows: int) -> bool:
    """Whether each row has a key of its own within its version.

    A hash that two keys share says no, which only costs the longer way. Up to `HASHED_HERE` rows
    the hashes are compared in this process, eight bytes each: that spares a shuffle and Spark's
    hash table. More are counted by Spark.
    """
    if rows > HASHED_HERE or any(part["hashes"] is None for part in parts):
        found = seen.agg(F.count_distinct("hash").alias("different")).first()
        return found is not None and found["different"] == rows
    hashes = np.sort(np.frombuffer(b"".join(part["hashes"] for part in parts), dtype=np.int64))
    return not bool(np.any(hashes[1:] == hashes[:-1]))


def summed(counts: Iterable[Row], feed: Feed) -> tuple[VersionCount, ...]:
    """Rows of source_version, committed_at, operation, count to one value a version.

    How many messages a change becomes depends on its operation alone, so counts are enough.
    """
    times: dict[int, datetime] = {}
    found: defaultdict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(OPERATIONS, 0))
    for row in counts:
        # Spark's rows have times of this machine's zone, without saying so.
        times[row["source_version"]] = row["committed_at"].astimezone(UTC)
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
