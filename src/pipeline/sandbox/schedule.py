"""Which scheduled failure, if any, befalls a request. Pure: time and counts are given."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.sandbox.failure import Failure, Match
from pipeline.sandbox.read import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A failure with its progress."""

    number: int
    failure: Failure
    since: float
    """Seconds on the clock of `Moment.now` at which it was scheduled."""
    seen: int = 0
    """Requests that it could have befallen while active."""
    struck: int = 0
    """Requests that it made fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A request, as far as failures look at it."""

    now: float
    endpoint: str
    calls: Sequence[Call]


def is_over(planned: Planned, now: float) -> bool:
    """It has ended, by time or by count."""
    failure = planned.failure
    if failure.requests is not None and planned.struck >= failure.requests:
        return True
    start = planned.since + failure.after_seconds
    return failure.seconds is not None and now >= start + failure.seconds


def is_active(planned: Planned, now: float) -> bool:
    """It has begun and has not ended."""
    return now >= planned.since + planned.failure.after_seconds and not is_over(planned, now)


def concerns(failure: Failure, moment: Moment) -> bool:
    """The request is one of those that the failure is for."""
    if failure.endpoints and moment.endpoint not in failure.endpoints:
        return False
    match = failure.match
    return match is None or any(_matches(match, call) for call in moment.calls)


def _matches(match: Match, call: Call) -> bool:
    return (match.event is None or call.event == match.event) and (
        match.user_id is None or call.userId == match.user_id
    )


def strike(
    plans: tuple[Planned, ...], moment: Moment
) -> tuple[tuple[Planned, ...], Planned | None]:
    """The plans with their progress, and the one that befalls this request.

    Earlier plans go first. A share is spread evenly: of n requests, floor(n x share) fail.
    """
    for place, planned in enumerate(plans):
        if not is_active(planned, moment.now) or not concerns(planned.failure, moment):
            continue
        share, seen = planned.failure.share, planned.seen
        hit = math.floor((seen + 1) * share + 1e-9) > math.floor(seen * share + 1e-9)
        after = replace(planned, seen=seen + 1, struck=planned.struck + hit)
        plans = (*plans[:place], after, *plans[place + 1 :])
        if hit:
            return plans, after
    return plans, None
