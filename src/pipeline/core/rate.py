"""How many requests a second are ours to make, and how that adapts.

Customer.io asks for at most 3,000 requests in 3 seconds
(https://docs.customer.io/integrations/api/cdp/); we stay below 95% of it. Additive increase,
multiplicative decrease, as TCP does it.
"""

from pydantic import BaseModel, ConfigDict, Field


class RatePolicy(BaseModel):
    """The published rate, what is ours of it, and how it adapts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests: int = Field(default=3000, ge=1)
    window_seconds: float = Field(default=3.0, gt=0)
    share: float = Field(default=0.95, gt=0, le=1)
    """Of the published rate that all jobs together use."""
    deliver_share: float = Field(default=0.8, gt=0, lt=1)
    """Of that, for `deliver`; the rest is for `drain`."""
    replay_messages: float = Field(default=1000, gt=0)
    """Messages a second that a replay asks drain for, at most; drain's own share bounds it too."""
    backfill_share: float = Field(default=0.5, gt=0, le=1)
    """Of a feed's own rate, for the first load of its table."""
    decrease: float = Field(default=0.7, gt=0, lt=1)
    increase: float = Field(default=0.05, gt=0, le=1)
    """Of the ceiling, added after a slice without trouble."""
    floor: float = Field(default=1.0, gt=0)
    """Requests a second below which no trouble brings a task."""
    slow_seconds: float = Field(default=5.0, gt=0)
    """A median answer slower than this is trouble."""


def ceiling(policy: RatePolicy, job: str, streams: int) -> float:
    """Requests a second for one of *streams* streams of a job."""
    share = policy.deliver_share if job == "deliver" else 1 - policy.deliver_share
    return policy.requests / policy.window_seconds * policy.share * share / max(streams, 1)


def spare(policy: RatePolicy) -> float:
    """Requests a second that the jobs leave, for people and scripts beside them."""
    return max(policy.requests / policy.window_seconds * (1 - policy.share), policy.floor)


def adapt(policy: RatePolicy, rate: float, top: float, *, trouble: bool) -> float:
    """The next slice's rate, after one with or without trouble (429, 5xx, slow answers)."""
    if trouble:
        return max(rate * policy.decrease, min(policy.floor, top))
    return min(rate + policy.increase * top, top)
