"""What a task needs to send its part of a slice. Travels to it by value."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from pydantic import SecretStr

from pipeline.core.api.limits import Limits
from pipeline.core.cipher import Keyring
from pipeline.core.retry import RetryPolicy
from pipeline.settings import Delivery, Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to, and with which key."""

    url: str
    write_key: SecretStr
    strict: bool
    connect_timeout: timedelta
    total_timeout: timedelta
    gzip: bool = False

    @classmethod
    def of(cls, destination: Destination, write_key: SecretStr) -> Self:
        """As the settings have it."""
        return cls(
            url=destination.url,
            write_key=write_key,
            strict=destination.strict,
            connect_timeout=destination.connect_timeout,
            total_timeout=destination.total_timeout,
            gzip=destination.gzip,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast, how many at once, and when to give up."""

    rate: float
    """Requests a second of this task."""
    lanes: int
    batch_bytes: int
    quick_attempts: int
    quick_initial: timedelta
    quick_max: timedelta
    breaker_failures: int
    dead_share: float
    dead_count: int

    @classmethod
    def of(cls, delivery: Delivery, limits: Limits, rate: float) -> Self:
        """As the settings have it, at *rate* requests a second."""
        return cls(
            rate=rate,
            lanes=delivery.lanes,
            batch_bytes=limits.batch_bytes,
            quick_attempts=delivery.quick.attempts,
            quick_initial=delivery.quick.wait_initial,
            quick_max=delivery.quick.wait_max,
            breaker_failures=delivery.breaker.failures,
            dead_share=delivery.holds.dead_share,
            dead_count=delivery.holds.dead_count,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Barrier:
    """What the driver read before the slice, at one pinned version of each table."""

    read_at: float
    """Seconds since the epoch."""
    barred: frozenset[bytes] = frozenset()
    """Entity hashes that have a message waiting."""
    erased: frozenset[bytes] = frozenset()
    """Entity hashes of people that were erased: their messages are cancelled."""
    known: frozenset[bytes] = frozenset()
    """Message ids of the slice's versions that have an outcome, 26 bytes each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One slice's sending, as each of its tasks sees it."""

    job: str
    slice: int
    """Lease epoch x 2^32 + counter of the append that records it."""
    target: Target
    pace: Pace
    barrier: Barrier
    deadline: float
    """Seconds since the epoch after which nothing of the slice is sent any more."""
    retry: RetryPolicy
    keys: Keyring
    waive_ratio: bool = False
    """An operator released the feed from a hold on the share of dead letters."""
    packed_from: int = 0
    """So many accepted messages of a request that can share a row do; 0: none does."""
    overflow: bool = False
    """Nothing is sent: the source will not keep it much longer, so it goes to the queue."""
