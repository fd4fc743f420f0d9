"""Which figures fire which alert, and what changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.core.alarm import (
    ALERTS,
    FeedFigures,
    Finding,
    HoldFigures,
    Limits,
    anchor,
    changes,
    judge,
)

NOW = datetime(2026, 11, 23, 12, 10, tzinfo=UTC)
LIMITS = Limits()
WELL = FeedFigures(
    feed="orders",
    waiting=3,
    oldest_seconds=20,
    due_seconds=-5,
    accepted=1_000,
    dead=1,
    requests=50,
    failed=2,
    slow_ms=80,
    freshness_seconds=4,
    earliest_seconds=0.4,
    unread_seconds=None,
    changes_hour=4_000,
    deletes_hour=2,
    quiet_seconds=9,
    history={NOW.replace(minute=0) - timedelta(hours=n): 4_000.0 for n in range(1, 24 * 60)},
    deletes={NOW.replace(minute=0) - timedelta(hours=n): 2.0 for n in range(1, 24 * 60)},
)


def names(feed, *holds):
    return {one.name for one in judge([feed], holds, LIMITS, NOW)}


def test_a_feed_that_is_well_wakes_nobody():
    """Whatever else it does, it must be silent when all is well, and when nothing is known."""
    assert names(WELL) == set()
    assert names(FeedFigures(feed="new")) == set()


@pytest.mark.parametrize(
    ("changed", "alert"),
    [
        ({"oldest_seconds": 1_000.0}, "queue.old"),
        ({"due_seconds": 400.0}, "queue.stuck"),
        ({"dead": 100}, "dead.many"),
        ({"failed": 30}, "api.failing"),
        ({"slow_ms": 9_000.0}, "api.slow"),
        ({"freshness_seconds": 2_000.0}, "freshness.old"),
        ({"missing": 1}, "books.open"),
        ({"unread_seconds": 400.0}, "deliver.stuck"),
        ({"quiet_seconds": 600.0, "changes_hour": 3_000}, "source.silent"),
        ({"changes_hour": 60_000}, "changes.unusual"),
        ({"deletes_hour": 900}, "deletes.unusual"),
        ({"earliest_seconds": -120.0}, "clock.skewed"),
    ],
)
def test_each_figure_fires_its_alert_alone(changed, alert):
    """One fault is one alert with a severity, words and a section to read."""
    (found,) = judge([replace(WELL, **changed)], (), LIMITS, NOW)
    assert found.name == alert
    assert found.severity == ALERTS[alert]
    assert found.feed == "orders"
    assert found.detail
    assert found.runbook == f"docs/runbook.md#{alert.replace('.', '')}"


def test_a_hold_fires_under_its_reason_and_silences_what_follows_from_it():
    """A held feed does not read on, and its messages wait: that is one alert, not three."""
    hold = HoldFigures(feed="orders", reason="http_401", seconds=90, detail="correct the key")
    ill = replace(WELL, unread_seconds=4_000.0, missing=5)
    assert names(ill, hold) == {"hold.http_401"}
    assert names(WELL, replace(hold, seconds=30)) == set()
    drain = replace(hold, feed=None)
    assert names(replace(WELL, due_seconds=900.0), drain) == {"hold.http_401"}


def test_few_failures_are_no_share():
    """One dead letter of two messages is half, and no reason to wake anybody."""
    assert names(replace(WELL, accepted=1, dead=1)) == set()
    assert names(replace(WELL, requests=4, failed=4)) == set()


def test_only_changes_of_state_are_told():
    """What fires on is not told again; what is over is told once."""
    finding = Finding(
        alert="queue.old", feed="orders", metric="m", value=1, expected="0", detail="d"
    )
    other = replace(finding, feed="people")
    (fired,) = changes(set(), [finding])
    assert fired.finding == finding
    assert changes({("queue.old", "orders")}, [finding]) == ()
    new, gone = changes({("queue.old", "orders"), ("hold.x", None)} - {("hold.x", None)}, [other])
    assert (new.feed, new.finding) == ("people", other)
    assert (gone.feed, gone.finding) == ("orders", None)


def test_anchors_are_those_that_markdown_makes():
    """A link to a section that is not there leads to the top of a long page at night."""
    assert anchor("hold.http_401") == "holdhttp_401"
    assert anchor("books.open") == "booksopen"
