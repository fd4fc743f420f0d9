"""A look: what is written, what is told, what is remembered. No Spark."""

from types import SimpleNamespace

import pytest

from pipeline.core.alarm import Finding
from pipeline.settings import Settings
from pipeline.watch import look as module
from pipeline.watch.look import Watch

FINDING = Finding(
    alert="queue.old", feed="orders", metric="oldest", value=1_000, expected="900", detail="waits"
)


@pytest.fixture
def stage(monkeypatch):
    """A watch whose figures, table and webhook are here."""
    at = SimpleNamespace(found=(), written=[], posted=[], table_fails=False, taken=99)

    def append(_spark, _where, *rows):
        if at.table_fails and rows:
            raise OSError("disk full")
        at.written += rows

    def post(_url, bodies):
        taken = bodies[: at.taken]
        at.posted += [(one["alert"], one["state"]) for one in taken]
        return len(taken)

    monkeypatch.setattr(module, "alert", append)
    monkeypatch.setattr(module.tell, "post", post)
    monkeypatch.setattr(module, "firing", lambda *_: set())
    monkeypatch.setattr(Watch, "_findings", lambda *_: at.found)
    monkeypatch.setattr(Watch, "_others", lambda *_: [])
    settings = Settings(
        target="prod",
        tables={"root": "t", "checkpoints": "c"},
        observe={"webhooks": [{"url": "https://example.com/hook"}], "runbook": "https://x/runbook"},
    )
    at.watch = Watch(spark=None, settings=settings, role="drain")
    return at


def test_an_alert_is_told_once_when_it_fires_and_once_when_it_recovers(stage):
    """An alert that comes every minute is switched off, and then the next one is missed."""
    stage.found = (FINDING,)
    for _ in range(3):
        stage.watch.look()
    stage.found = ()
    for _ in range(3):
        stage.watch.look()
    assert stage.posted == [("queue.old", "firing"), ("queue.old", "recovered")]
    assert [row.state for row in stage.written] == ["firing", "recovered"]
    assert stage.written[0].runbook == "https://x/runbook#queueold"


def test_what_the_webhook_does_not_take_is_told_later(stage):
    """A webhook that is down for a minute must not swallow an alert."""
    stage.found, stage.taken = (FINDING,), 0
    stage.watch.look()
    assert stage.posted == []
    stage.taken = 99
    stage.watch.look()
    assert stage.posted == [("queue.old", "firing")]


def test_tables_that_cannot_be_written_are_told_and_the_alert_is_written_later(stage):
    """A full disk: the webhook is the only way left, and nothing is forgotten meanwhile."""
    stage.found, stage.table_fails = (FINDING,), True
    stage.watch.look()
    stage.watch.look()
    assert stage.posted == [("tables.unwritable", "firing")]
    stage.table_fails = False
    stage.watch.look()
    assert stage.posted[1:] == [("tables.unwritable", "recovered"), ("queue.old", "firing")]
    assert [row.alert for row in stage.written] == ["queue.old"]


def test_a_look_that_fails_stops_nothing(stage, monkeypatch):
    """Figures that cannot be read are a log line; the next look goes on."""

    def fails(*_):
        raise ValueError("no figures")

    monkeypatch.setattr(Watch, "_findings", fails)
    assert stage.watch.look() == ()
