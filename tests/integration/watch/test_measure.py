"""Figures from tables with a known history, and a whole look at them."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from pipeline.core.alarm import Limits
from pipeline.core.records import ALERTS, BOOKS, OUTCOMES, RETRY_QUEUE, STREAM_PROGRESS
from pipeline.settings import Settings
from pipeline.tables import holds
from pipeline.tables.layout import layout
from pipeline.tables.rows import append_rows
from pipeline.watch import measure
from pipeline.watch.look import Watch, firing

FEED = """
source: orders
start: latest
row_key: [id]
entity: {person: person}
insert: {type: track, event: Order Completed}
"""


def booked(version, minutes, changes=100, origin="commit"):
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    return {
        "feed": "orders",
        "source_version": version,
        "origin": origin,
        "changes": changes,
        "deletes": 1,
        "messages": changes,
        "committed_at": at,
        "booked_at": at,
    }


def outcome(kind, minutes, version=3, age=5, **more):
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    return {
        "kind": kind,
        "feed": "orders",
        "message_id": "m",
        "source_version": version,
        "number": 1,
        "committed_at": at - timedelta(seconds=age),
        "recorded_at": at,
        **more,
    }


@pytest.fixture(scope="module")
def settings(spark, tmp_path_factory, lay_tables):
    folder = tmp_path_factory.mktemp("watch")
    (folder / "feeds").mkdir()
    (folder / "feeds" / "orders.yml").write_text(FEED)
    made = Settings(
        target="test",
        sources={"root": str(folder), "feeds": str(folder / "feeds")},
        tables={"root": str(folder / "tables"), "checkpoints": str(folder / "checkpoints")},
    )
    where = layout(made)
    lay_tables(where)
    append_rows(
        spark,
        where,
        BOOKS,
        [
            booked(0, 600, 9_000, "snapshot"),
            booked(1, 180),
            booked(2, 50, 2),
            booked(3, 10, 40),
        ],
    )
    request = {"message_id": None, "number": None, "duration_ms": 40.0}
    append_rows(
        spark,
        where,
        OUTCOMES,
        [
            *(outcome("accepted", 5) for _ in range(4)),
            outcome("accepted", 4, version=0, age=9_000_000),
            *(outcome("dead", 3) for _ in range(12)),
            outcome("accepted", 40, version=2),
            outcome("request", 5, **request),
            outcome("request", 5, reason="http_503", **request),
        ],
    )
    queue = {
        "kind": "message",
        "feed": "orders",
        "entity_hash": b"e" * 16,
        "queued_version": 1,
        "queued_at": datetime.now(UTC) - timedelta(minutes=20),
    }
    append_rows(
        spark,
        where,
        RETRY_QUEUE,
        [
            {
                **queue,
                "message_id": "a",
                "position": 0,
                "next_attempt_at": datetime.now(UTC) + timedelta(hours=1),
            },
            {
                **queue,
                "message_id": "b",
                "position": 1,
                "next_attempt_at": datetime.now(UTC) - timedelta(hours=1),
            },
        ],
    )
    return made


def figures(spark, settings):
    lost = measure.missing(spark, settings, Limits())
    known = measure.history(spark, settings)
    feed = SimpleNamespace(name="orders", source="orders", file="orders.yml")
    (found,) = measure.figures(spark, settings, [feed], known, lost)
    return found


def test_figures_are_those_of_the_tables(spark, settings):
    """Each figure that an alert is judged by, against what was written."""
    found = figures(spark, settings)
    assert (found.accepted, found.dead, found.requests, found.failed) == (5, 12, 2, 1)
    assert found.freshness_seconds == pytest.approx(5, abs=1)  # the snapshot's age is no lateness
    assert (found.waiting, found.changes_hour, found.deletes_hour) == (2, 42, 2)
    assert 1_190 < found.oldest_seconds < 1_500
    assert found.due_seconds < 0  # the head is not due, and the one behind it waits for it
    assert 590 < found.quiet_seconds < 900
    assert found.missing == 9_000 + 100 + 2 - 2  # version 3 is under way
    assert sum(found.history.values()) in (100, 102, 142)  # commits, of hours that are over
    assert found.unread_seconds is None  # there is no source to read


def test_commits_that_change_no_row_are_not_unread():
    """OPTIMIZE and an empty write are no reason to say that deliver is stuck."""
    row = {"operation": "OPTIMIZE", "operationMetrics": {"numOutputRows": "9"}}
    assert not measure.changes_rows(row)
    assert not measure.changes_rows(
        {"operation": "WRITE", "operationMetrics": {"numOutputRows": "0"}}
    )
    assert measure.changes_rows({"operation": "WRITE", "operationMetrics": {"num_added_rows": "4"}})
    merge = {"numOutputRows": "7", "numTargetRowsInserted": "0", "numTargetRowsUpdated": "0"}
    assert not measure.changes_rows({"operation": "MERGE", "operationMetrics": merge})
    assert measure.changes_rows(
        {"operation": "MERGE", "operationMetrics": merge | {"numTargetRowsDeleted": "1"}}
    )


def test_a_look_writes_what_fires_and_a_restart_does_not_write_it_again(spark, settings):
    """The table is the memory: a second process knows what fires, and says when it is over."""
    where = layout(settings)
    hold = holds.Noted(
        hold_id="h",
        job="deliver",
        feed="orders",
        reason="http_401",
        detail="correct the key",
        began_at=datetime.now(UTC) - timedelta(minutes=3),
    )
    holds.note(spark, where, hold, "began", 1)
    first = Watch(spark=spark, settings=settings, role="drain").look()
    assert {one.name for one in first} == {"hold.http_401", "queue.old", "dead.many"}
    assert firing(spark, settings, "drain") == {(one.name, "orders") for one in first}
    again = Watch(spark=spark, settings=settings, role="drain")
    assert again.look() == ()
    holds.note(spark, where, hold, "ended", 2)
    names = {(one.name, one.finding is None) for one in again.look()}
    assert ("hold.http_401", True) in names
    assert ("books.open", False) in names  # no hold explains the missing ones any more
    rows = where.place(ALERTS).read(spark).where("alert = 'hold.http_401'").orderBy("recorded_at")
    assert [row["state"] for row in rows.collect()] == ["firing", "recovered"]


def test_deliver_looks_at_drain(spark, settings):
    """A drain that is stuck cannot say so itself."""
    watch = Watch(
        spark=spark, settings=settings, role="deliver", began=datetime.now(UTC) - timedelta(hours=1)
    )
    (fired,) = watch.look()
    assert fired.name == "drain.stuck"
    row = {"query": "drain", "progress": "{}", "recorded_at": datetime.now(UTC)}
    append_rows(spark, layout(settings), STREAM_PROGRESS, [row])
    (over,) = watch.look()
    assert over.finding is None
    assert firing(spark, settings, "deliver") == set()
