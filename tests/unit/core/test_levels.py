"""Levels against what is usual at this hour of the week."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.core.alarm import ALERTS, FeedFigures
from pipeline.core.levels import KEPT, UNUSUAL, unusual

HOUR = datetime(2026, 11, 23, 12, tzinfo=UTC)
USUAL = {
    "waiting": 150.0,
    "dead_share": 0.01,
    "failed_share": 0.03,
    "p95_ms": 300.0,
    "freshness_p95_seconds": 80.0,
}
FEED = FeedFigures(
    feed="orders",
    waiting=150,
    accepted=990,
    dead=10,
    requests=100,
    failed=3,
    slow_ms=300.0,
    freshness_seconds=80.0,
    levels={
        metric: {HOUR - timedelta(hours=n): value for n in range(1, 24 * 7 * 6)}
        for metric, value in USUAL.items()
    },
)
FLOODED = replace(
    FEED, waiting=9_000, accepted=900, dead=100, failed=40, slow_ms=4_000.0, freshness_seconds=900.0
)


def test_what_is_usual_wakes_nobody():
    """An alert on every ordinary hour would be switched off, and then it finds nothing."""
    assert list(unusual(FEED, HOUR)) == []
    assert list(unusual(replace(FEED, slow_ms=None), HOUR)) == []


def test_each_level_has_its_alert():
    """A metric without an alert is looked at by nobody."""
    found = {one.alert: one for one in unusual(FLOODED, HOUR)}
    assert set(found) == {level.alert for level in UNUSUAL}
    assert set(found) <= set(ALERTS)
    slow = found["latency.unusual"]
    assert (slow.metric, slow.value) == ("p95_ms", 4_000.0)
    assert slow.detail.startswith("1 request in 20 takes 4,000 ms; at most ")
    assert slow.expected in slow.detail


def test_a_feed_without_a_history_is_not_judged():
    """A new feed would be alarming by its first figures."""
    assert list(unusual(replace(FLOODED, levels={}), HOUR)) == []


@pytest.mark.parametrize("level", UNUSUAL, ids=lambda level: level.metric)
def test_below_its_floor_a_level_is_well(level):
    """Twice next to nothing is next to nothing."""
    value = level.floor * 0.9
    tiny = {HOUR - timedelta(hours=n): value / 1_000 for n in range(1, 24 * 7 * 6)}
    counts = {
        "waiting": {"waiting": int(value)},
        "dead_share": {"accepted": 10_000, "dead": round(value * 10_000)},
        "failed_share": {"requests": 10_000, "failed": round(value * 10_000)},
        "p95_ms": {"slow_ms": value},
        "freshness_p95_seconds": {"freshness_seconds": value},
    }[level.metric]
    feed = FeedFigures(feed="f", levels={level.metric: tiny}, **counts)
    assert list(unusual(feed, HOUR)) == []


def test_what_is_judged_is_kept():
    """A level that is not kept never has a history."""
    assert {level.metric for level in UNUSUAL} <= set(KEPT)
