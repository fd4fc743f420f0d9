"""Watching a source's retention, and a queue that is too deep, without Spark."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from pipeline.delivery.plan import Barrier
from pipeline.streams import deliver, retention, waiting

DAYS = {"properties": {"delta.deletedFileRetentionDuration": "interval 10 days"}}
CHECKED = SimpleNamespace(feed=SimpleNamespace(name="people"), table=None)


@pytest.mark.parametrize(
    ("days", "told", "overflows"),
    [
        (4, [], False),
        (5.1, ["source.retention"], False),
        (7.9, ["source.retention"], False),
        (8.1, ["source.overflow"], True),
    ],
)
def test_alerts_at_half_and_overflows_at_four_fifths(monkeypatch, days, told, overflows):
    """Nobody would be told, the source would drop what was not read, or it would flood the log."""
    found = []
    monkeypatch.setattr(retention, "table_detail", lambda *_: DAYS)
    monkeypatch.setattr(retention, "alert", lambda _spark, _where, one: found.append(one.alert))
    oldest = datetime.now(UTC) - timedelta(days=days)
    watch = retention.RetentionWatch(None, CHECKED, oldest)
    assert [watch.overflows(None) for _ in range(3)] == [overflows] * 3
    assert found == told


def test_a_deep_queue_holds_until_drain_has_brought_it_down(monkeypatch):
    """A feed would pile more and more onto a queue that drain cannot empty."""
    depths = iter([100, 90, 81, 80])
    looks = []

    class Waits:
        def __init__(self, **given):
            self.reason = given["reason"]

        def wait_for(self, _spark, over):
            while not over():
                looks.append(self.reason)

    def barrier(depth):
        barred = frozenset(number.to_bytes(16, "big") for number in range(depth))
        return Barrier(read_at=0.0, barred=barred)

    monkeypatch.setattr(waiting, "Hold", Waits)
    monkeypatch.setattr(retention, "table_detail", lambda *_: DAYS)
    settings = SimpleNamespace(
        delivery=SimpleNamespace(holds=SimpleNamespace(queue_entities=100)),
    )
    feed = deliver.DeliverFeed(
        runtime=SimpleNamespace(settings=settings, where=None),
        claim=None,
        checked=CHECKED,
        after_version=0,
        reader=SimpleNamespace(read=lambda *_: barrier(next(depths))),
        oldest=datetime.now(UTC),
    )
    assert not feed._too_deep(None, barrier(100), 1)
    assert feed._too_deep(None, barrier(101), 1)
    assert looks == ["queue_depth"] * 3
    assert not feed.overflow
