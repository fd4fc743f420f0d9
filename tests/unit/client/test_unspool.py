"""A call of the spool that fails by itself costs only what is about the same person."""

from dataclasses import replace

import pytest

from pipeline.client.outbox import Outbox
from pipeline.client.spool import listed
from pipeline.core.retry import RetryPolicy
from pipeline.core.wire import Answer, NoAnswer

from .conftest import OK, QUICK, drain, message

DOWN = NoAnswer(reason="connect")
BROKEN = Answer(status=500, retry_after=None, text="oops")
ATTEMPTS = 3
WAIT = 10_000.0
"""Seconds, longer than any pause."""


class Clock:
    """Stands still until somebody lets time pass."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def spooling(destination, spool, clock) -> Outbox:
    rate = QUICK.rate.model_copy(update={"floor": 5000.0})
    box = Outbox(
        destination, replace(QUICK, rate=rate, retry=RetryPolicy(attempts=ATTEMPTS)), spool
    )
    box._unspool.clock = clock
    return box


def poisoned(request):
    """500 for every request that holds the poisoned call."""
    return BROKEN if b'"event":"poison"' in request.body else OK


async def fill(box, destination, *calls) -> None:
    """An outage: calls, by person and event, go into one file of the spool."""
    destination.answer = lambda _: DOWN
    for person, event in calls:
        box.take_in(message(person, event))
    await drain(box)
    destination.answer = poisoned


def events(destination) -> list[str]:
    return [call["event"] for call in destination.calls]


async def test_others_go_on_and_those_behind_it_wait(spooling, destination, spool):
    """One call would hold up everybody's, or somebody's would go before its turn."""
    await fill(spooling, destination, ("1", "a"), ("1", "poison"), ("1", "c"), ("2", "d"))
    await fill(spooling, destination, ("1", "e"), ("3", "f"))
    await drain(spooling)
    assert sorted(events(destination)) == ["a", "d", "f"]
    result = spooling.report()
    assert (result.accepted, result.refused, result.spooled, result.ill) == (3, 0, 3, "http_500")
    assert [(file.calls, file.attempts, file.reason) for file in listed(spool.folder)] == [
        (2, 1, "http_500"),
        (1, 0, None),
    ]


async def test_new_calls_go_behind_it_or_past_it(spooling, destination):
    """A later call of that person would overtake, or those of others would never be sent."""
    await fill(spooling, destination, ("1", "poison"), ("2", "a"))
    await drain(spooling)
    spooling.take_in(message("1", "b"))
    spooling.take_in(message("2", "c"))
    await drain(spooling)
    assert events(destination) == ["a", "c"]


async def test_it_is_tried_later_and_then_set_aside(spooling, destination, spool, clock):
    """It would be sent again and again for ever, and what waits behind it never."""
    await fill(spooling, destination, ("1", "poison"), ("1", "b"), ("2", "0"))
    for turn in range(1, ATTEMPTS):
        await drain(spooling)
        assert spooling.report().refused == 0
        assert listed(spool.folder)[0].attempts == turn
        spooling.take_in(message("2", str(turn)))
        clock.now += WAIT
    await drain(spooling)
    await drain(spooling)
    assert events(destination) == ["0", "1", "2", "b"]
    result = spooling.report()
    assert (result.refused, result.spooled, result.ill) == (1, 0, None)
    (refusal,) = result.refusals
    assert (refusal.event, refusal.reason) == ("poison", "http_500")
    (file,) = listed(spool.folder)
    assert (file.state, file.calls, file.attempts) == ("dead", 1, ATTEMPTS)


async def test_a_dead_file_can_be_sent_again(spooling, destination, spool):
    """What was set aside could not be brought back once the destination is mended."""
    spool.keep_dead(message("1", "poison"), ATTEMPTS, "http_500")
    (file,) = listed(spool.folder)
    file.path.rename(file.path.with_suffix(".spool"))
    spool._look()
    await drain(spooling)
    assert events(destination) == ["poison"]


async def test_a_new_process_goes_on_counting(spooling, destination, spool):
    """Each run of the command would begin anew, and nothing would ever be set aside."""
    await fill(spooling, destination, ("1", "poison"), ("2", "a"))
    await drain(spooling)
    again = Outbox(destination, spooling.options, spool)
    again.take_in(message("2", "b"))
    await drain(again)
    assert listed(spool.folder)[0].attempts == 2


async def test_where_nothing_is_accepted_it_is_the_destination(spooling, destination, spool, clock):
    """An outage that answers probes would make everything dead, or be stormed with requests."""
    for person in "123456":
        await fill(spooling, destination, *[(person, str(place)) for place in range(16)])
    requests = 0

    def broken(request):
        nonlocal requests
        requests += 1
        return OK if request.body == b'{"batch":[]}' else BROKEN

    destination.answer = broken
    for _ in range(ATTEMPTS + 1):
        await drain(spooling)
        clock.now += WAIT
    assert spooling.report().spooled == 6 * 16
    assert {file.state for file in listed(spool.folder)} == {"waiting"}
    assert {file.attempts for file in listed(spool.folder)} == {0}
    assert requests < 300  # call by call it would be more than two thousand
    destination.answer = lambda _: OK
    await drain(spooling)
    assert events(destination) == [str(place) for _ in "123456" for place in range(16)]


async def test_too_many_requests_are_nobodys_fault(spooling, destination, spool):
    """A destination that is only busy would cost calls."""
    await fill(spooling, destination, ("1", "a"), ("2", "b"))
    busy = Answer(status=429, retry_after=None, text="")
    destination.answer = lambda request: OK if request.body == b'{"batch":[]}' else busy
    await drain(spooling)
    assert listed(spool.folder)[0].attempts == 0
    assert spooling.ill == "http_429"
