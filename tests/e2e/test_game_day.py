"""A game day: ten incidents, what fires, what cures it; at the end the books close.

Six happen for real, to `deliver`, `drain` and the sandbox. What takes weeks (a source's usual
hours) is planted in the books, under a feed of its own; drain does not run beside the test; a table
that cannot be written is an error where the alert would be appended. docs/game-day.md tells it.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.core.alarm import Limits
from pipeline.core.records import BOOKS, STREAM_PROGRESS
from pipeline.operations.reconcile import reconcile
from pipeline.sandbox.failure import Failure
from pipeline.source.feed_files import load_feeds
from pipeline.streams.run import HELD, OK, run_deliver, run_drain
from pipeline.tables import commands
from pipeline.tables.layout import layout
from pipeline.tables.rows import append_rows
from pipeline.tables.views import make_session_views
from pipeline.watch import look as looking
from pipeline.watch.look import Watch

from .conftest import ORDERS

LIMITS = Limits(
    hold=timedelta(), slow=timedelta(milliseconds=250), stuck=timedelta(), failed_share=0.1
)
"""Waits are shortened to what a test can wait for."""


class GameDay:
    """The shop, who watches it, and what fired so far."""

    def __init__(self, spark, shop):
        self.spark, self.shop = spark, shop
        delivery = shop.settings.delivery
        short = delivery.holds.model_copy(update={"outlast": timedelta(seconds=1)})
        self.settings = shop.settings.model_copy(
            update={"delivery": delivery.model_copy(update={"holds": short})}
        )
        self.where = layout(self.settings)
        self.watch = Watch(spark=spark, settings=self.settings, role="drain", limits=LIMITS)
        self.orders = 0
        self.fired: set[str] = set()

    def write(self, rows=30, **changed):
        first, self.orders = self.orders, self.orders + rows
        made = [
            {"order_id": f"o{n:04}", "person_id": f"p{n % 7}", "total": 1.0} | changed
            for n in range(first, self.orders)
        ]
        self.shop.insert("orders", ORDERS, made)

    def deliver(self):
        return run_deliver(self.spark, self.settings, feeds=["orders"], available_now=True)

    def drain(self):
        return run_drain(self.spark, self.settings, available_now=True)

    def waiting(self):
        """Messages that wait, as the dashboard shows them."""
        make_session_views(self.spark, self.where, with_metrics=True)
        rows = self.spark.sql("SELECT coalesce(sum(waiting), 0) AS n FROM metric_queue").collect()
        return rows[0]["n"]

    def look(self):
        """What began to fire, and what recovered."""
        changed = self.watch.look()
        fired = {one.name for one in changed if one.finding is not None}
        self.fired |= fired
        return (
            fired,
            {one.name for one in changed if one.finding is None},
        )


@pytest.fixture
def day(spark, shop):
    return GameDay(spark, shop)


def test_game_day(day, monkeypatch):
    """Each incident fires its alert, its cure works, and no message is lost over all of them."""
    _the_key_is_revoked(day)
    _the_api_is_down(day)
    _the_api_is_slow(day)
    _a_mapping_is_wrong_and_then_poison_floods(day)
    _a_source_stops_and_then_explodes(day)
    _drain_is_stuck(day)
    _tables_cannot_be_written(day, monkeypatch)
    _a_clock_jumps(day)
    feeds = [f for f in load_feeds(Path(day.settings.sources.feeds)) if f.name == "orders"]
    (found,) = reconcile(day.spark, day.settings, feeds)
    assert found.closes, found.missing
    assert (found.messages, found.queued, found.dead) == (day.orders, 0, 60)
    assert found.accepted == len(day.shop.accepted()) == day.orders - 60


def _the_key_is_revoked(day):
    day.write()
    day.shop.sandbox.client.fail(Failure(kind="key_revoked"))
    assert day.deliver() == HELD
    assert "hold.http_401" in day.look()[0]
    day.shop.sandbox.client.clear()
    assert day.deliver() == OK
    assert "hold.http_401" in day.look()[1]


def _the_api_is_down(day):
    day.write(70)
    day.shop.sandbox.client.fail(Failure(kind="status", status=503))
    day.deliver()
    day.look()
    assert "api.failing" in day.fired
    assert day.waiting() > 0
    day.shop.sandbox.client.clear()
    assert day.deliver() == OK
    for _ in range(3):
        time.sleep(0.6)
        assert day.drain() == OK
    assert day.waiting() == 0


def _the_api_is_slow(day):
    day.write(300)
    day.shop.sandbox.client.fail(Failure(kind="latency", latency_ms=600))
    assert day.deliver() == OK
    day.shop.sandbox.client.clear()
    assert "api.slow" in day.look()[0]


def _a_mapping_is_wrong_and_then_poison_floods(day):
    day.write(60, note="x" * 33_000)
    assert day.deliver() == HELD
    assert "hold.dead_share" in day.look()[0]
    commands.wish(
        day.spark,
        day.where,
        "released-by-hand",
        "release",
        requested_by="game day",
        feed="orders",
        source_version=1_000,
    )
    assert day.deliver() == OK
    fired, recovered = day.look()
    assert "dead.many" in fired
    assert "hold.dead_share" in recovered


def _a_source_stops_and_then_explodes(day):
    now = datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)

    def booked(version, at, changes):
        return {
            "feed": "people",
            "source_version": version,
            "origin": "commit",
            "changes": changes,
            "deletes": 0,
            "messages": 0,
            "committed_at": at,
            "booked_at": at,
        }

    usual = [booked(n, hour - timedelta(hours=n), 4_000) for n in range(2, 24 * 7 * 5)]
    append_rows(day.spark, day.where, BOOKS, usual)
    day.watch.known = None
    assert "source.silent" in day.look()[0]
    append_rows(day.spark, day.where, BOOKS, [booked(5_000, now, 90_000)])
    fired, recovered = day.look()
    assert "changes.unusual" in fired
    assert "source.silent" in recovered


def _drain_is_stuck(day):
    other = Watch(spark=day.spark, settings=day.settings, role="deliver", limits=LIMITS)
    assert {one.name for one in other.look()} == {"drain.stuck"}
    other.limits = Limits()
    row = {"query": "drain", "progress": "{}", "recorded_at": datetime.now(UTC)}
    append_rows(day.spark, day.where, STREAM_PROGRESS, [row])
    (over,) = other.look()
    assert over.finding is None


def _tables_cannot_be_written(day, monkeypatch):
    told = []
    monkeypatch.setattr(Watch, "_queue", lambda _, rows: told.extend(rows))

    def full(*_):
        raise OSError("No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(looking, "alert", full)
        day.watch.look()
    assert [(one.alert, one.state) for one in told] == [("tables.unwritable", "firing")]
    day.watch.firing.add(("queue.old", "orders"))  # something to write: it has recovered
    day.watch.look()
    assert ("tables.unwritable", "recovered") in [(one.alert, one.state) for one in told]


def _a_clock_jumps(day):
    day.write(5)
    log = max(Path(day.shop.table("orders"), "_delta_log").glob("*.json"))
    ahead = time.time() + 900
    os.utime(log, (ahead, ahead))  # Delta takes a commit's time from here
    assert day.deliver() == OK
    assert "clock.skewed" in day.look()[0]
