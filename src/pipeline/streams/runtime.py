"""What both jobs work with: settings, keys, places; and the plan of one slice made of them."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.rate import ceiling
from pipeline.delivery.plan import Barrier, Pace, Plan, Target
from pipeline.keys import Secrets
from pipeline.keys.live import LiveKeys
from pipeline.settings import Settings
from pipeline.tables.layout import Layout, layout


class StopRequestedError(Exception):
    """The job was asked to stop; what was sent is recorded, the rest comes after a restart."""


class FeedChangedError(Exception):
    """The feed's file was changed while the feed held: it starts again with what is there now."""


class HoldOutlastedError(Exception):
    """With `--available-now`: a hold lasted longer than the setting allows."""


class Stop:
    """Somebody asks the job to stop. A copy in another process knows only of its own process."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __getstate__(self) -> dict[str, Any]:
        """An event cannot travel; a copy begins with none set."""
        return {}

    def __setstate__(self, _: dict[str, Any]) -> None:
        """A new event."""
        self._event = threading.Event()

    def ask(self) -> None:
        """Stop, please."""
        self._event.set()

    @property
    def asked(self) -> bool:
        """Whether somebody did."""
        return self._event.is_set()

    def pause(self, seconds: float) -> None:
        """Wait; raise as soon as somebody asks to stop."""
        if self._event.wait(seconds):
            raise StopRequestedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Everything by value, so that it can travel to where foreachBatch runs."""

    settings: Settings
    secrets: Secrets
    streams: int = 1
    """Streams of this job that share its rate."""
    available_now: bool = False
    stop: Stop = field(default_factory=Stop)
    live: LiveKeys | None = None
    """Reads the keys again while the job runs; without it they stay what they were."""

    def keys(self) -> Secrets:
        """The keys as they are now."""
        return self.secrets if self.live is None else self.live.current()

    @property
    def where(self) -> Layout:
        """The pipeline's tables."""
        return layout(self.settings)

    def target(self) -> Target:
        """The destination, with its key."""
        return Target.of(self.settings.destination, self.keys().api_key)

    def top_rate(self, job: str) -> float:
        """Requests a second that one stream of the job may send at most."""
        return ceiling(self.settings.rate, job, self.streams)

    def longest_slice(self) -> float:
        """Seconds after which nothing that another holder began can still be under way."""
        delivery = self.settings.delivery
        return (
            delivery.slice_deadline
            + self.settings.destination.total_timeout
            + delivery.clock_tolerance
        ).total_seconds()

    def plan(
        self,
        job: str,
        number: int,
        barrier: Barrier,
        rate: float,
        *,
        waive_ratio: bool,
        overflow: bool = False,
    ) -> Plan:
        """The plan of one slice, as each of its tasks sees it."""
        delivery = self.settings.delivery
        tasks = 1 if delivery.site == "driver" else delivery.tasks
        return Plan(
            job=job,
            slice=number,
            target=self.target(),
            pace=Pace.of(delivery, self.settings.limits, rate / tasks),
            barrier=barrier,
            deadline=barrier.read_at + delivery.slice_deadline.total_seconds(),
            retry=self.settings.retry,
            keys=self.keys().payload_keys,
            waive_ratio=waive_ratio,
            packed_from=delivery.packed_from,
            overflow=overflow,
        )


def now() -> float:
    """Seconds since the epoch."""
    return time.time()
