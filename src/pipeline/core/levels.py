"""Figures that are kept at each look, and the levels among them that have an expected range.

A level is alarming where it is far above what this hour of the week usually brings, though it may
be below the limit that wakes somebody in any case. Below its floor it is never worth a word.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pipeline.core.alarm import FeedFigures, Finding
from pipeline.core.expected import LEVELS, expected

Figure = Callable[[FeedFigures], float | None]


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


KEPT: Final[Mapping[str, Figure]] = {
    "waiting": lambda f: f.waiting,
    "oldest_seconds": lambda f: f.oldest_seconds,
    "accepted": lambda f: f.accepted,
    "dead_share": lambda f: _share(f.dead, f.accepted + f.dead),
    "failed_share": lambda f: _share(f.failed, f.requests),
    "p95_ms": lambda f: f.slow_ms,
    "freshness_p95_seconds": lambda f: f.freshness_seconds,
    "unread_seconds": lambda f: f.unread_seconds,
    "retention_used": lambda f: f.retention_used,
    "retention_left_seconds": lambda f: f.retention_left_seconds,
    "changes_hour": lambda f: f.changes_hour,
    "deletes_hour": lambda f: f.deletes_hour,
}
"""Name in the table `figures` to what is measured; None is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One metric with an expected range."""

    metric: str
    alert: str
    floor: float
    """What is below it is well, whatever is usual."""
    says: str
    """What is alarming, with the value and the range put in."""
    shown: str
    """How a value is written."""


UNUSUAL: Final = (
    Level(
        metric="waiting", alert="queue.unusual", floor=100, shown="{:,.0f}",
        says="{value} messages wait; at most {high} are usual at this time of the {season}",
    ),
    Level(
        metric="dead_share", alert="dead.unusual", floor=0.005, shown="{:.1%}",
        says="{value} of the messages die; at most {high} are usual at this time of the {season}",
    ),
    Level(
        metric="failed_share", alert="api.unusual", floor=0.02, shown="{:.1%}",
        says="{value} of the requests fail; at most {high} are usual at this time of the {season}",
    ),
    Level(
        metric="p95_ms", alert="latency.unusual", floor=250, shown="{:,.0f} ms",
        says="1 request in 20 takes {value}; at most {high} is usual at this time of the {season}",
    ),
    Level(
        metric="freshness_p95_seconds", alert="freshness.unusual", floor=60, shown="{:,.0f} s",
        says="changes arrive after {value}; at most {high} is usual at this time of the {season}",
    ),
)  # fmt: skip
"""Levels whose worst minute of an hour is compared with the worst minutes of such hours."""


def unusual(one: FeedFigures, hour: datetime) -> Iterator[Finding]:
    """The levels of a feed that are far above what is usual in the hour that begins at *hour*."""
    for level in UNUSUAL:
        value = KEPT[level.metric](one)
        usual = expected(one.levels.get(level.metric, {}), hour, LEVELS)
        if value is None or usual is None or value <= (most := max(usual.high, level.floor)):
            continue
        high = level.shown.format(most)
        yield Finding(
            alert=level.alert,
            feed=one.feed,
            metric=level.metric,
            value=value,
            expected=f"at most {high}",
            detail=level.says.format(
                value=level.shown.format(value), high=high, season=usual.season
            ),
        )
