"""Slices that take too long to prepare, without Spark: a machine that manages so many rows."""

from concurrent.futures import Future
from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.delivery.plan import Barrier
from pipeline.streams import deliver, drain, slow
from pipeline.streams.drain import Drain
from pipeline.streams.runtime import StopRequestedError
from pipeline.tables.outcomes import SliceResult

HOLDS = SimpleNamespace(queue_entities=10)
SETTINGS = SimpleNamespace(
    delivery=SimpleNamespace(holds=HOLDS, slice_deadline=timedelta(seconds=60)),
    triggers=SimpleNamespace(drain_rows=100),
)


def result(calls, unsent, *holds):
    return SliceResult(
        tasks=1,
        calls=calls,
        unsent=unsent,
        holds=holds,
        requests=0,
        weight=0.0,
        troubled=0,
        median_ms=0.0,
    )


class Machine:
    """Prepares at most *manages* rows in time."""

    def __init__(self, monkeypatch, manages, patience=2_000):
        self.manages, self.patience = manages, patience
        self.sent, self.told, self.tries = [], [], 0
        monkeypatch.setattr(deliver, "audit_key_changes", lambda *_: None)
        monkeypatch.setattr(deliver, "send", self.send)
        monkeypatch.setattr(deliver.DeliverFeed, "_seal_policy", lambda _: None)
        monkeypatch.setattr(
            deliver,
            "half_of",
            lambda rows_of, halvings, half: [r for r in rows_of() if r >> halvings & 1 == half],
        )
        monkeypatch.setattr(
            slow, "alert", lambda _spark, _where, one: self.told.append(one.severity)
        )

    def send(self, _spark, _runtime, _claim, one, *_):
        self.tries += 1
        if self.tries > self.patience:
            raise StopRequestedError
        if len(one.rows) > self.manages:
            return result(len(one.rows), len(one.rows), "deadline")
        self.sent += one.rows
        return result(len(one.rows), 0)

    def deliver(self, rows):
        booked = Future()
        booked.set_result(None)
        runtime = SimpleNamespace(
            settings=SETTINGS, where=None, stop=SimpleNamespace(pause=lambda _: None)
        )
        feed = deliver.DeliverFeed(
            runtime=runtime,
            claim=None,
            checked=SimpleNamespace(feed=SimpleNamespace(name="people")),
            after_version=0,
            rate=1.0,
            reader=SimpleNamespace(read=lambda *_: Barrier(read_at=0.0), result=None),
        )
        feed.slice_until_done(None, deliver.Piece(rows=lambda: rows, versions=(1, 1)), booked)


@settings(deadline=None)  # it writes a log line a slice, which a busy machine may take its time for
@given(rows=st.integers(1, 300), manages=st.integers(1, 300))
def test_a_slice_that_is_too_slow_ends_in_parts(rows, manages):
    """It would be repeated for ever, or a row would be sent twice or never."""
    with pytest.MonkeyPatch.context() as patch:
        machine = Machine(patch, manages)
        machine.deliver(list(range(rows)))
        assert sorted(machine.sent) == list(range(rows))
        assert machine.told == (["warning"] if rows > manages else [])


def test_where_halving_does_not_help_somebody_is_called(monkeypatch):
    """A job on a machine that is far too slow would repeat its slice in silence."""
    machine = Machine(monkeypatch, 0)
    with pytest.raises(StopRequestedError):
        machine.deliver([0])
    assert machine.told == ["warning", "critical"]
    assert machine.sent == []


def test_progress_is_not_in_vain():
    """A slice that sends on at each try would be cut for no reason."""
    assert slow.in_vain(result(9, 9, "deadline"))
    assert slow.in_vain(result(9, 5, "deadline"), unsent_before=5)
    assert not slow.in_vain(result(9, 5, "deadline"), unsent_before=7)
    assert not slow.in_vain(result(9, 9, "deadline", "http_401"))
    assert not slow.in_vain(result(0, 0))


def test_a_tick_of_drain_that_is_too_slow_shrinks_and_grows_again(monkeypatch):
    """Drain would try the same hundred thousand messages at each tick, and send none."""
    told = []
    monkeypatch.setattr(drain, "tell_slow", lambda *_, smallest: told.append(smallest))
    ticks = Drain(runtime=SimpleNamespace(settings=SETTINGS), claim=None)
    limits = []
    for _ in range(8):
        limit = ticks.limit or 100
        limits.append(limit)
        ticks._bound(None, limit, result(limit, limit, "deadline"))
    assert limits == [100, 100, 50, 25, 12, 6, 3, 1]
    assert told == [False, True]
    for _ in range(8):
        ticks._bound(None, ticks.limit, result(ticks.limit, 0))
    assert ticks.limit == 100
