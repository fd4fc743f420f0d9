"""What a tick of drain takes for due, and how long it goes on, without Spark."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from pipeline.streams import drain
from pipeline.streams.drain import GOES_ON_SECONDS, Drain
from pipeline.tables.outcomes import SliceResult


@pytest.mark.parametrize(("once", "moments"), [(True, 1), (False, 3)])
def test_a_run_that_shall_end_looks_at_one_moment(monkeypatch, once, moments):
    """With waits that are shorter than a tick, `drain --available-now` would never end."""
    asked = []
    monkeypatch.setattr(drain, "find_due", lambda *given: asked.append(given[2]))
    settings = SimpleNamespace(triggers=SimpleNamespace(drain_rows=1))
    runtime = SimpleNamespace(settings=settings, where=None)
    one = Drain(runtime, claim=None, once=once)
    for number in range(3):
        assert one._send_due(None, number, (), None, slices=1).sent == 0
    assert len(set(asked)) == moments


class Sending(Drain):
    """Four slices of ten messages are due; each takes some seconds, and something happens."""

    seconds = 1.0
    unsent_of = -1
    wish_after = stop_after = 9

    def _send(self, _spark, place, _upto):
        self.sent.append(place)
        unsent = 4 if place == self.unsent_of else 0
        return SliceResult(
            tasks=1, calls=10, unsent=unsent, holds=(), requests=1, troubled=0, median_ms=1.0
        )

    @contextmanager
    def _in_order(self, _runs):
        yield lambda place: place

    @property
    def asked(self):
        """Whether somebody wants the job to stop."""
        return len(self.sent) >= self.stop_after


def ticked(monkeypatch, **what):
    """Slices that one tick sent, and how many messages it says."""
    settings = SimpleNamespace(triggers=SimpleNamespace(drain_rows=10))
    runtime = SimpleNamespace(settings=settings, where=None)
    one = Sending(runtime, claim=SimpleNamespace(look_ahead=lambda *_: None))
    runtime.stop, one.sent = one, []
    for name, value in what.items():
        setattr(one, name, value)
    monkeypatch.setattr(drain, "find_due", lambda *_: SimpleNamespace(waiting=40))
    monkeypatch.setattr(drain, "runs_due", lambda *_: SimpleNamespace(slices=4))
    monkeypatch.setattr(drain, "compile_or_interpret", lambda *_: None)
    monkeypatch.setattr(drain, "audit_key_changes", lambda *_: None)
    monkeypatch.setattr(drain, "now", lambda: len(one.sent) * one.seconds)
    monkeypatch.setattr(drain.commands, "wishes", lambda *_: [1] * (len(one.sent) > one.wish_after))
    seen = SimpleNamespace(outcomes=0, commands=0)
    return len(one.sent), one._send_due(None, 1, (), seen, slices=4).sent, len(one.sent)


@pytest.mark.parametrize(
    ("what", "slices", "messages"),
    [
        ({}, 4, 40),
        ({"unsent_of": 0}, 1, 6),  # the destination is ill, or the slice too slow
        ({"unsent_of": 2}, 3, 26),
        ({"wish_after": 1}, 2, 20),  # somebody wants a person erased, a message discarded
        ({"stop_after": 1}, 1, 10),
        ({"seconds": GOES_ON_SECONDS - 1}, 2, 20),  # what was queued meanwhile is looked at
        ({"seconds": GOES_ON_SECONDS * 2}, 1, 10),
    ],
)
def test_a_tick_goes_on_until_somebody_wants_something_else(monkeypatch, what, slices, messages):
    """A million messages take a minute: who is to be erased could not wait for all of them."""
    assert ticked(monkeypatch, **what) == (0, messages, slices)
