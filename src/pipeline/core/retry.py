"""When a message that could not be delivered may be tried again."""

import hashlib
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field


class RetryPolicy(BaseModel):
    """How the retry queue waits: exponential backoff with full jitter and a cap."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempts: int = Field(default=8, ge=1)
    """Counted attempts before a message becomes a dead letter."""
    wait_initial: timedelta = timedelta(seconds=30)
    """Longest wait before the second attempt; doubles with each failure."""
    wait_max: timedelta = timedelta(hours=1)
    """Longest wait of our own choosing; the server may ask for more."""
    wait_min: timedelta = timedelta(seconds=1)
    """Shortest wait: full jitter alone may come out at nothing."""
    counted_share: float = Field(default=0.5, ge=0, le=1)
    """A failure that is the destination's (429, 5xx, timeout, reset) counts as an attempt only
    where more than this share of the task's other requests was accepted meanwhile: then it is the
    message's own."""


def jitter(message_id: str, number: int) -> float:
    """A number in [0, 1) that depends on the message and its outcome only, so that tests repeat."""
    digest = hashlib.blake2b(f"{message_id}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def next_attempt_at(
    policy: RetryPolicy,
    failures: int,
    now: datetime,
    *,
    jitter: float,
    retry_after: timedelta = timedelta(),
) -> datetime:
    """When to try again after *failures* failures (at least 1); never before *retry_after*."""
    doublings = min(failures - 1, 40)  # 2 ** 40 times any wait is past any cap
    backoff = min(policy.wait_initial * float(2**doublings), policy.wait_max)
    return now + max(backoff * jitter, policy.wait_min, retry_after)


def exhausted(policy: RetryPolicy, attempts: int) -> bool:
    """Whether *attempts* counted attempts were the last."""
    return attempts >= policy.attempts
