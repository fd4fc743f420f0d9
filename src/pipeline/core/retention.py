"""How long a source table keeps what has not been read yet, and how much of that is used up."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

ALERT_SHARE: Final = 0.5
OVERFLOW_SHARE: Final = 0.8

LOG: Final = "delta.logRetentionDuration"
FILES: Final = "delta.deletedFileRetentionDuration"
DEFAULTS: Final = {LOG: timedelta(days=30), FILES: timedelta(days=7)}
"""Delta's own (https://docs.delta.io/latest/delta-batch.html#data-retention)."""

_PART: Final = re.compile(r"(\d+)\s*(week|day|hour|minute|second|millisecond)s?\b")


def retention(properties: Mapping[str, str]) -> timedelta:
    """The shorter of what the table's log and its removed files are kept for.

    A property that cannot be read counts as Delta's default.
    """
    return min(_interval(properties.get(name)) or DEFAULTS[name] for name in DEFAULTS)


def used(age: timedelta, kept: timedelta) -> float:
    """Share of the retention that the oldest unread version has used up."""
    return age / kept if kept > timedelta() else 1.0


def _interval(text: str | None) -> timedelta | None:
    """`interval 7 days`, `interval 1 week 12 hours`: months and years Delta refuses itself."""
    parts = _PART.findall((text or "").lower())
    if not parts:
        return None
    total = timedelta()
    for number, unit in parts:
        total += timedelta(**{f"{unit}s": int(number)})
    return total
