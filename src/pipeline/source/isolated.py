"""Rows that cannot be mapped: which, and why."""

from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """One net change for which an expression raises."""

    hash: int
    """Of `row_hash`."""
    reason: str
    """Spark's error class, such as CAST_INVALID_INPUT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolated:
    """All such changes of a micro-batch."""

    rows: tuple[BadRow, ...]

    def reason(self) -> Column:
        """Of a net change: why it cannot be mapped; null where it can."""
        found = F.lit(None).cast("string")
        by_reason: dict[str, list[int]] = {}
        for row in self.rows:
            by_reason.setdefault(row.reason, []).append(row.hash)
        for reason, hashes in sorted(by_reason.items()):
            found = F.when(row_hash().isin(hashes), F.lit(reason)).otherwise(found)
        return found


def row_hash() -> Column:
    """What tells one net change from another."""
    return F.xxhash64("source_version", "operation", "ordinal", "key")
