"""How a client sends: the settings of the streams, with the streams' defaults."""

import time
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import SecretStr

from pipeline.core.api.limits import DEFAULT_LIMITS, Limits
from pipeline.core.rate import RatePolicy, spare
from pipeline.core.retry import RetryPolicy
from pipeline.delivery.plan import Pace, Target
from pipeline.settings import Client, Delivery, Destination, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """All that can be set. The rate is what the jobs leave of the published one: 5% of it."""

    destination: Destination = field(default_factory=Destination)
    limits: Limits = DEFAULT_LIMITS
    delivery: Delivery = field(default_factory=Delivery)
    rate: RatePolicy = field(default_factory=RatePolicy)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    """When a call of the spool that fails by itself is tried again, and how often."""
    client: Client = field(default_factory=Client)

    @property
    def top_rate(self) -> float:
        """Requests a second at most."""
        return spare(self.rate)

    def at(self, region: Literal["us", "eu"] | None, base_url: str | None) -> "Options":
        """The same, for another region or address."""
        changed = {"region": region, "base_url": base_url}
        given = {name: value for name, value in changed.items() if value is not None}
        return replace(self, destination=self.destination.model_copy(update=given))

    def target(self, write_key: SecretStr) -> Target:
        """The destination, with its key."""
        return Target.of(self.destination, write_key)

    def pace(self, rate: float) -> Pace:
        """How a round is sent."""
        return Pace.of(self.delivery, self.limits, rate)

    def deadline(self) -> float:
        """Seconds since the epoch after which a round that begins now sends nothing more."""
        return time.time() + self.delivery.slice_deadline.total_seconds()


def options(settings: Settings) -> Options:
    """Those of a settings file."""
    return Options(
        destination=settings.destination,
        limits=settings.limits,
        delivery=settings.delivery,
        rate=settings.rate,
        retry=settings.retry,
        client=settings.client,
    )
