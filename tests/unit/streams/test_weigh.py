"""How many rows make a slice, and what a feed learns of its own, without Spark."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from pipeline.settings import Settings
from pipeline.source.count import Counted, VersionCount
from pipeline.streams import deliver
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
    tasks=1, calls=10, unsent=0, holds=(), requests=1, bytes=20_000, troubled=0, median_ms=1.0
)


@pytest.mark.parametrize(
    ("weight", "most", "rows"),
    [
        (0.0, A_MILLION, A_MILLION),  # nobody knows
        (300.0, A_MILLION, A_MILLION),
        (2_000.0, A_MILLION, 200_000),
        (2_000.0, 50_000, 50_000),
        (90_000.0, A_MILLION, 12_500),  # of no call that can be sent
    ],
)
def test_large_rows_make_slices_of_fewer(weight, most, rows):
    """A slice of a million large rows would need more memory than its workers have."""
    assert rows_a_slice(SETTINGS, most, weight) == rows


def feed():
    """A feed's handler that has not sent anything yet."""
    runtime = SimpleNamespace(settings=SETTINGS, top_rate=lambda _: 100.0)
    return DeliverFeed(runtime=runtime, claim=None, checked=None, after_version=0)


def counted(changes, messages):
    """So many changes of one version, which become so many messages."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    one = VersionCount(version=1, committed_at=at, changes=changes, deletes=0, messages=messages)
    return Counted(versions=(one,), unique_inserts=True)


def test_a_sample_is_weighed_once(monkeypatch):
    """Each large micro-batch would run a query more; each small one, too."""
    weighed = []
    monkeypatch.setattr(deliver, "of_change", lambda _: None)
    monkeypatch.setattr(deliver, "weigh", lambda *_: weighed.append(1) or 1_000.0)
    one = feed()
    assert one._rows_a_slice(None, counted(few(SETTINGS), few(SETTINGS))) == A_MILLION
    assert not weighed
    for _ in range(2):
        assert one._rows_a_slice(None, counted(A_MILLION, A_MILLION)) == 400_000
    assert len(weighed) == 1


@pytest.mark.parametrize(
    ("changed", "rows"),
    [
        ({}, 200_000),
        ({"unsent": 5}, 100_000),  # what was not sent weighs nothing
        ({"unsent": 10}, 400_000),
        ({"requests": 0}, 400_000),
    ],
)
def test_what_was_sent_says_what_messages_weigh(changed, rows):
    """Rows that grow would be cut as those before them, until a worker has no memory left."""
    one = feed()
    one.weight = 1_000.0
    one._learn(replace(SENT, **changed))
    assert one._rows_a_slice(None, counted(A_MILLION, A_MILLION)) == rows


def test_a_change_that_becomes_several_messages_weighs_as_much():
    """Slices of a feed with three calls a change would be three times too large."""
    one = feed()
    one._learn(SENT)
    assert one._rows_a_slice(None, counted(A_MILLION, 4 * A_MILLION)) == 50_000
