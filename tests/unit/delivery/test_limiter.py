"""The published rate holds in any three seconds, whatever was idle before them."""

import asyncio
from bisect import bisect_left

import pytest

from pipeline.core.rate import RatePolicy
from pipeline.delivery.limiter import Limiter


class Time:
    """A clock that stands still but for what is slept, one sleeper after the other."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def taken(rate: float, idle: list[float]) -> list[float]:
    """When each request went, after a pause before each."""
    time = Time()
    limiter = Limiter(rate, time, time.sleep)

    async def take_all() -> list[float]:
        times = []
        for pause in idle:
            time.now += pause
            await limiter.take()
            times.append(time.now)
        return times

    return asyncio.run(take_all())


def test_it_starts_empty():
    """Nobody knows what the task before has just sent."""
    assert taken(10.0, [0, 0, 0]) == pytest.approx([1000.1, 1000.2, 1000.3])


def test_what_was_not_used_is_kept_for_a_short_while():
    """A second's pause is not made up for, or the API would refuse what comes at once."""
    at_once = sum(moment == pytest.approx(1001.0) for moment in taken(100.0, [1.0, *[0] * 99]))
    assert at_once == 15


@pytest.mark.parametrize("every", [100, 700, 1500, 10_000])
def test_no_three_seconds_have_more_than_the_published_rate(every):
    """All jobs together, with the share of it that they have by default."""
    policy = RatePolicy()
    rate = policy.requests / policy.window_seconds * policy.share
    times = taken(rate, [0.4 if number % every == 0 else 0.0 for number in range(8000)])
    for last, moment in enumerate(times):
        assert last - bisect_left(times, moment - policy.window_seconds) < policy.requests


def test_a_rate_is_above_zero():
    """A task that may send nothing would wait for ever."""
    with pytest.raises(ValueError, match="above zero"):
        Limiter(0, Time())
