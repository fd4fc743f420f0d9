"""Which scheduled failure befalls a request."""

import math

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sandbox.failure import Failure, Match
from pipeline.sandbox.read import Call
from pipeline.sandbox.schedule import Moment, Planned, is_active, is_over, strike


def plan(**fields) -> tuple[Planned, ...]:
    return (Planned(number=1, failure=Failure(kind="reset", **fields), since=100.0),)


def run(plans, moments):
    """The failure of each moment, by number."""
    struck = []
    for moment in moments:
        plans, planned = strike(plans, moment)
        struck.append(planned.number if planned else None)
    return plans, struck


def at(now=100.0, endpoint="batch", calls=()):
    return Moment(now=now, endpoint=endpoint, calls=calls)


def test_window_of_time():
    """It begins after its delay and ends when its time is over."""
    plans = plan(after_seconds=5, seconds=10)
    _, struck = run(plans, [at(104.9), at(105.0), at(114.9), at(115.0)])
    assert struck == [None, 1, 1, None]
    assert not is_active(plans[0], 104.9)
    assert is_over(plans[0], 115.0)


def test_number_of_requests():
    """It ends after so many failed requests, and without either bound it stays."""
    assert run(plan(requests=2), [at()] * 4)[1] == [1, 1, None, None]
    assert run(plan(), [at(10_000.0)] * 3)[1] == [1, 1, 1]


def test_only_its_endpoints_and_calls():
    """Requests to other endpoints or without a matching call pass and are not counted."""
    calls = [Call(event="e", userId="u"), Call(event="f", userId="v")]
    plans = plan(endpoints=("batch",), match=Match(event="e", user_id="u"))
    moments = [at(calls=calls), at(endpoint="track", calls=calls), at(calls=calls[1:]), at()]
    after, struck = run(plans, moments)
    assert struck == [1, None, None, None]
    assert after[0].seen == 1
    crossed = plan(match=Match(event="e", user_id="v"))
    assert run(crossed, [at(calls=calls)])[1] == [None]


@given(share=st.floats(0.01, 1), requests=st.integers(0, 300))
def test_share_is_spread_evenly(share, requests):
    """Of any first n requests, n times the share fail, rounded down."""
    _, struck = run(plan(share=share), [at()] * requests)
    for n in range(requests + 1):
        assert sum(s is not None for s in struck[:n]) == math.floor(n * share + 1e-9)


def test_earlier_plans_go_first_and_later_ones_take_over():
    """Of two plans for one request the first strikes; when it is over, the second does."""
    first = plan(requests=1)
    second = Planned(number=2, failure=Failure(kind="status", status=503), since=100.0)
    assert run((*first, second), [at()] * 3)[1] == [1, 2, 2]
