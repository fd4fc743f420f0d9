"""What facts about a target mean."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.core.outcome import Accepted, Held, Rejected, Retryable
from pipeline.operations import diagnose

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("spark", "runtime", "state"),
    [
        ("4.2.0", None, "ok"),
        ("3.5.2", None, "finding"),
        ("4.0.0", "17.3", "ok"),
        ("4.0.0", "16.4", "finding"),
        ("4.1.0", "client.4.9", "ok"),
    ],
)
def test_versions(spark, runtime, state):
    """A job on an older runtime fails at its first statement, in words of Spark's."""
    assert diagnose.versions(spark, runtime, None).state == state


def test_a_session_setting_that_was_refused_is_named():
    """Serverless compute refuses some settings without an error that anybody reads."""
    found = diagnose.session({"a": "true", "b": "1"}, {"a": "true", "b": None})
    assert (found.state, found.says) == ("finding", "b is None, not 1")


def test_the_first_table_that_does_not_fit_is_named():
    """The jobs would refuse to start."""
    assert diagnose.tables({"outcomes": None}).state == "ok"
    found = diagnose.tables({"outcomes": None, "books": "no such table", "leases": "old"})
    assert found.state == "finding"
    assert found.says == "books (and 1 more): no such table"


@pytest.mark.parametrize(
    ("kept", "behind", "state"),
    [
        ({}, None, "ok"),
        ({}, DAY, "ok"),
        ({}, 4 * DAY, "finding"),
        ({"delta.deletedFileRetentionDuration": "interval 36 hours"}, None, "finding"),
        ({"delta.deletedFileRetentionDuration": "interval 2 weeks"}, 6 * DAY, "ok"),
        ({"delta.logRetentionDuration": "interval 1 day"}, None, "finding"),
    ],
)
def test_the_source_must_keep_what_was_not_read(kept, behind, state):
    """A hold is safe only as long as the source's change feed lasts."""
    assert diagnose.retention("orders", kept, behind).state == state


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Rejected(reason="http_400", detail=None), "ok"),
        (Held(reason="http_401"), "finding"),
        (Accepted(), "finding"),
        (Retryable(reason="http_503"), "unknown"),
    ],
)
def test_a_key_is_right_when_the_refusal_is_about_the_content(outcome, state):
    """Without strict mode a wrong key is answered like a right one."""
    found = diagnose.key(outcome, "1a2b3c4d", "https://cdp.customer.io")
    assert found.state == state
    assert (found.todo != "") == (state == "finding")


def test_tasks_without_a_network_are_told_of_the_driver():
    """The one setting that decides on which compute the job can run."""
    assert diagnose.network("tasks", "h", None).state == "ok"
    assert "delivery.site: driver" in diagnose.network("tasks", "h", "TimeoutError").todo
    assert "firewall" in diagnose.network("the driver", "h", "connect").todo


@pytest.mark.parametrize(("seconds", "state"), [(0, "ok"), (3, "ok"), (-3, "ok"), (4, "finding")])
def test_a_clock_that_is_off_by_more_than_the_tolerance(seconds, state):
    """Deadlines and the wait of an erasure rely on clocks that agree."""
    theirs = NOW - timedelta(seconds=seconds)
    assert diagnose.clock(NOW, theirs, timedelta(seconds=2)).state == state
    assert diagnose.clock(NOW, None, timedelta(seconds=2)).state == "unknown"


def test_what_waits_too_long_and_what_holds():
    """A queue that nobody drains looks calm."""
    calm = diagnose.queue(3, timedelta(hours=1), ())
    assert [one.state for one in calm] == ["ok", "ok"]
    bad = diagnose.queue(3, 2 * DAY, ("orders: http_401",))
    assert [one.state for one in bad] == ["finding", "finding"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("interval 7 days", 7 * DAY),
        ("INTERVAL 1 WEEK", 7 * DAY),
        ("interval 1 day 12 hours", 1.5 * DAY),
        ("interval 90 minutes", timedelta(minutes=90)),
        ("interval 1 month", None),
        ("7", None),
    ],
)
def test_intervals_as_delta_writes_them(text, expected):
    """A duration that is read wrongly hides a retention that is too short."""
    assert diagnose.duration(text) == expected
