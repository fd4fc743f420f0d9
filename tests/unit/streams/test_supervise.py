"""Supervising queries: what fails is restarted alone, what stops ends well. No Spark."""

import threading
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from pipeline.streams import supervise as module
from pipeline.streams.runtime import HoldOutlastedError, Runtime, Stop, StopRequestedError
from pipeline.streams.supervise import Guarded, Supervised, recognised, supervise
from pipeline.tables.leases import LeaseLostError


@dataclass
class Query:
    """What Spark would give; ends when it is told to."""

    error: Exception | None = None
    isActive: bool = True  # noqa: N815  Spark's name
    stops: list[str] = field(default_factory=list)

    def exception(self):
        return self.error

    def stop(self):
        self.isActive = False

    def awaitTermination(self, _seconds):  # noqa: N802  Spark's name
        return True


POLL = SimpleNamespace(total_seconds=lambda: 0.01)
SETTINGS = SimpleNamespace(lease=SimpleNamespace(poll=POLL))
"""The one setting that supervising reads."""


def runtime(*, available_now=False) -> Runtime:
    return Runtime(settings=SETTINGS, secrets=None, available_now=available_now)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0.005)
    monkeypatch.setattr(module, "RESTART_INITIAL", 0.01)


def ended(error=None):
    """A start that gives a query which has ended, with or without an error."""

    def start():
        query = Query(isActive=False)
        guarded = Guarded(lambda *_: None, Stop())
        guarded.error = error
        return query, guarded

    return start


def test_a_query_that_ends_well_ends_the_job():
    """As with a trigger that takes what is there."""
    assert supervise(runtime(), [Supervised(name="a", start=ended())], lambda: None) is None


def test_a_failing_query_is_restarted_until_it_is_well():
    """Twice it fails, then it ends well."""
    starts = iter([ended(ValueError("one")), ended(ValueError("two")), ended()])
    one = Supervised(name="a", start=lambda: next(starts)())  # noqa: PLW0108  a new one each time
    assert supervise(runtime(), [one], lambda: None) is None
    assert one.failures == 2


def test_a_start_that_raises_is_tried_again():
    """A table that is away for a moment does not end the job."""
    tries = []

    def start():
        tries.append(1)
        if len(tries) == 1:
            raise OSError("away")
        return ended()()

    assert supervise(runtime(), [Supervised(name="a", start=start)], lambda: None) is None
    assert len(tries) == 2


def test_with_available_now_a_query_that_keeps_failing_ends_the_job_with_its_error():
    """Three times is enough for a scheduler to be told."""
    one = Supervised(name="a", start=ended(ValueError("always")))
    assert isinstance(supervise(runtime(available_now=True), [one], lambda: None), ValueError)
    assert one.failures == 3


def test_a_hold_that_outlasts_ends_its_query_at_once():
    """A restart would hold again."""
    one = Supervised(name="a", start=ended(HoldOutlastedError("held")))
    error = supervise(runtime(available_now=True), [one], lambda: None)
    assert isinstance(error, HoldOutlastedError)
    assert one.failures == 1


def test_a_lost_lease_stops_all():
    """The other process goes on; this one must not send any more."""
    one = Supervised(name="a", start=lambda: (Query(), Guarded(lambda *_: None, Stop())))

    def lost():
        raise LeaseLostError("taken over")

    assert isinstance(supervise(runtime(), [one], lost), LeaseLostError)
    assert one.query is not None
    assert not one.query.isActive


def test_stopping_waits_for_the_micro_batch_under_way():
    """What was sent is recorded before the query is stopped."""
    run = runtime()
    steps: list[str] = []
    began = threading.Event()

    def handler(_rows, _batch):
        began.set()
        run.stop._event.wait(1)
        steps.append("recorded")

    guarded = Guarded(handler, run.stop)
    query = Query()
    query.stop = lambda: steps.append("stopped")
    batch = threading.Thread(target=guarded, args=(None, 1))
    one = Supervised(name="a", start=lambda: (query, guarded))

    def ask():
        if not began.is_set():
            batch.start()
            began.wait(1)
            run.stop.ask()

    assert supervise(run, [one], ask) is None
    batch.join()
    assert steps == ["recorded", "stopped"]


def test_a_stopped_job_begins_no_further_micro_batch():
    """The flag is looked at before the handler runs."""
    stop = Stop()
    stop.ask()
    with pytest.raises(StopRequestedError):
        Guarded(lambda *_: None, stop)(None, 1)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Trace\npipeline.streams.runtime.HoldOutlastedError: f holds\n", HoldOutlastedError),
        (
            "...\npipeline.tables.leases.LeaseLostError: lease f was taken\n  at java",
            LeaseLostError,
        ),
        ("...\npipeline.streams.runtime.StopRequestedError\n", StopRequestedError),
        ("SparkException: HoldOutlastedErrors", RuntimeError),
    ],
)
def test_our_own_errors_are_known_by_their_words(words, kind):
    """Over Spark Connect a hold that outlasted would be restarted as a failure, and exit with 1."""
    assert type(recognised(RuntimeError(words))) is kind
