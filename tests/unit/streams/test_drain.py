"""What a tick of drain takes for due, and how long it goes on, without Spark."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from pipeline.core.api.limits import Limits
from pipeline.settings import Delivery
from pipeline.streams import drain
from pipeline.streams.drain import GOES_ON_SECONDS, SLICES, Drain
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
    unsent_of = empty = -1
    wish_after = stop_after = erase_after = 9

    def _send(self, _spark, place, _upto):
        self.sent.append(place)
        calls = 0 if place == self.empty else 10
        unsent = 4 if place == self.unsent_of else 0
        return SliceResult(
            tasks=1,
            calls=calls,
            unsent=unsent,
            holds=(),
            requests=1,
            weight=30.0,
            troubled=0,
            median_ms=1.0,
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
    settings = SimpleNamespace(
        triggers=SimpleNamespace(drain_rows=10), delivery=Delivery(), limits=Limits()
    )
    runtime = SimpleNamespace(settings=settings, where=None)
    one = Sending(runtime, claim=SimpleNamespace(look_ahead=lambda *_: None))
    runtime.stop, one.sent = one, []
    for name, value in what.items():
        setattr(one, name, value)
    due = SimpleNamespace(waiting=40, come=40, sendable=None)
    monkeypatch.setattr(drain, "find_due", lambda *_: due)
    monkeypatch.setattr(drain, "runs_due", lambda *_: SimpleNamespace(slices=4))
    monkeypatch.setattr(drain, "compile_or_interpret", lambda *_: None)
    monkeypatch.setattr(drain, "audit_key_changes", lambda *_: None)
    monkeypatch.setattr(drain, "now", lambda: len(one.sent) * one.seconds)
    monkeypatch.setattr(drain.commands, "wishes", lambda *_: [1] * (len(one.sent) > one.wish_after))
    monkeypatch.setattr(drain.erase, "requested", lambda *_: len(one.sent) > one.erase_after)
    seen = SimpleNamespace(outcomes=0, commands=0)
    sent = one._send_due(None, 1, (), seen, slices=4).sent
    return len(one.sent), sent, one.slices


@pytest.mark.parametrize(
    ("what", "slices", "messages", "then"),
    [
        ({}, 4, 40, SLICES),
        ({"empty": 1}, 4, 30, SLICES),
        ({"unsent_of": 0}, 1, 6, 1),  # the destination is ill, or the slice too slow
        ({"unsent_of": 2}, 3, 26, 1),
        ({"wish_after": 1}, 2, 20, 4),  # somebody wants a person erased, a message discarded
        ({"erase_after": 1}, 2, 20, 4),  # so does a feed
        ({"stop_after": 1}, 1, 10, 2),
        ({"seconds": GOES_ON_SECONDS - 1}, 2, 20, 4),  # what was queued meanwhile is looked at
        ({"seconds": GOES_ON_SECONDS * 2}, 1, 10, 2),
    ],
)
def test_a_tick_goes_on_until_somebody_wants_something_else(
    monkeypatch, what, slices, messages, then
):
    """A million messages take a minute: who is to be erased could not wait for all of them."""
    assert ticked(monkeypatch, **what) == (slices, messages, then)


def test_slices_before_it_do_not_hide_one_that_is_too_slow(monkeypatch):
    """Nothing would be halved, and nobody told, as long as others' messages come first."""
    told = []
    monkeypatch.setattr(drain.Drain, "_bound", lambda _, __, ___, last: told.append(last.unsent))
    ticked(monkeypatch, unsent_of=2)
    assert told == [4]
