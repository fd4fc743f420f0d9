"""How many rows make a slice, and what a feed learns of its own, without Spark."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from pipeline.settings import Settings
from pipeline.source.count import Counted, VersionCount
from pipeline.streams import deliver, drain
from pipeline.streams.deliver import DeliverFeed
from pipeline.streams.weigh import few, rows_a_slice
from pipeline.tables.outcomes import SliceResult

A_MILLION = 1_000_000
SETTINGS = Settings(
    target="test",
    sources={"root": "/nowhere"},
    tables={"root": "/nowhere", "checkpoints": "/nowhere"},
)
SENT = SliceResult(
    tasks=1, calls=10, unsent=0, holds=(), requests=1, weight=2_000.0, troubled=0, median_ms=1.0
)


@pytest.mark.parametrize(
    ("weight", "each", "most", "rows"),
    [
        (0.0, 1, A_MILLION, A_MILLION),  # nobody knows
        (300.0, 1, A_MILLION, A_MILLION),
        (2_000.0, 1, A_MILLION, 200_000),
        (2_000.0, 4, A_MILLION, 50_000),
        (2_000.0, 0.5, A_MILLION, 400_000),
        (2_000.0, 1, 50_000, 50_000),
        (90_000.0, 1, A_MILLION, 12_500),  # of no call that can be sent
        (90_000.0, 5, A_MILLION, 2_500),
    ],
)
def test_large_rows_make_slices_of_fewer(weight, each, most, rows):
    """A slice of a million large rows would need more memory than its workers have."""
    assert rows_a_slice(SETTINGS, most, A_MILLION, lambda: weight, each) == rows


def feed():
    """A feed's handler that has not sent anything yet."""
    runtime = SimpleNamespace(settings=SETTINGS, top_rate=lambda _: 100.0)
    return DeliverFeed(runtime=runtime, claim=None, checked=None, after_version=0)


def counted(changes, messages):
    """So many changes of one version, which become so many messages."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    one = VersionCount(version=1, committed_at=at, changes=changes, deletes=0, messages=messages)
    return Counted(versions=(one,), unique_inserts=True)


CHANGES = SimpleNamespace(schema=None)


@pytest.fixture
def weighed(monkeypatch):
    """How often changes were weighed; each time they had a thousand bytes."""
    times = []
    monkeypatch.setattr(deliver, "of_change", lambda _: None)
    monkeypatch.setattr(deliver, "weigh", lambda *_: times.append(1) or 1_000.0)
    return times


@pytest.mark.parametrize(
    ("changes", "messages", "times"),
    [
        (few(SETTINGS), few(SETTINGS), 0),
        (few(SETTINGS) + 1, few(SETTINGS) + 1, 1),
        (4_000, 16_000, 1),
    ],
)
def test_few_calls_are_not_weighed(weighed, changes, messages, times):
    """Each small micro-batch would run a query more."""
    assert feed().rows_a_slice(CHANGES, counted(changes, messages), A_MILLION) >= changes
    assert len(weighed) == times


@pytest.mark.usefixtures("weighed")
@pytest.mark.parametrize(("before", "rows"), [(0.0, 400_000), (150.0, 400_000), (2_000.0, 200_000)])
def test_neither_the_sample_nor_the_slice_before_has_the_last_word(before, rows):
    """After small rows, or in a file that begins so, large ones would come by the million."""
    one = feed()
    one._learn(replace(SENT, weight=before))
    assert one.rows_a_slice(CHANGES, counted(A_MILLION, A_MILLION), A_MILLION) == rows


def test_where_nothing_was_sent_nothing_is_learned():
    """A slice that found all its messages queued before it would make the next one too large."""
    one = feed()
    for result in (SENT, replace(SENT, requests=0, weight=0.0)):
        one._learn(result)
    assert one.weight == 2_000.0


@pytest.mark.parametrize(
    ("come", "limit", "rows", "slices"),
    [
        (few(SETTINGS), A_MILLION, A_MILLION, 1),  # beside them a million may wait, unlooked at
        (A_MILLION, A_MILLION, 400_000, 3),
        (A_MILLION, 100_000, 100_000, 5),
    ],
)
def test_drain_weighs_what_is_due(monkeypatch, come, limit, rows, slices):
    """Large messages that waited out an outage would come back in one slice."""
    asked = []
    due = SimpleNamespace(waiting=2 * A_MILLION, come=come, sendable=None)
    monkeypatch.setattr(drain, "find_due", lambda *_: due)
    monkeypatch.setattr(drain, "compile_or_interpret", lambda *_: None)
    monkeypatch.setattr(drain, "of_message", lambda: None)
    monkeypatch.setattr(drain, "weigh", lambda *_: 1_000.0)
    monkeypatch.setattr(drain, "runs_due", lambda _, __, *given: asked.append(given))
    runtime = SimpleNamespace(settings=SETTINGS, where=None)
    one = drain.Drain(runtime, claim=None, limit=limit)
    one._send_due(None, 1, (), None, slices=drain.SLICES)
    assert asked == [(rows, slices)]
