"""Hold: the stream waits, its checkpoint stays, the source table is the buffer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pipeline.delivery.probe import Probe
from pipeline.log import logger
from pipeline.streams.runtime import HoldOutlastedError, Runtime, now

DEADLINE: Final = "deadline"
"""Not ill, only slow: the slice is repeated at once."""
DESTINATION: Final = frozenset({"http_401", "http_403", "circuit_open"})
"""The destination's fault: the driver probes, and goes on by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One hold: whose, why, and what is asked at each pause."""

    runtime: Runtime
    feed: str
    reason: str
    alive: Callable[[], None]
    """Answers challenges of the lease; raises when it is lost."""

    def wait_for_destination(self) -> None:
        """Probe with growing pauses until the destination is well.

        Raises:
            HoldOutlastedError, StopRequestedError, LeaseLostError.
        """
        probe = Probe(self.runtime.target)
        self._wait(probe.well)

    def wait_for(self, released: Callable[[], bool]) -> None:
        """Wait until somebody releases the feed."""
        self._wait(released)

    def _wait(self, over: Callable[[], bool]) -> None:
        log = logger(feed=self.feed, reason=self.reason)
        began = now()
        log.warning("hold.began")
        breaker = self.runtime.settings.delivery.breaker
        pause = breaker.probe_initial.total_seconds()
        poll = self.runtime.settings.lease.poll.total_seconds()
        while True:
            left = pause
            while left > 0:  # a challenge must not wait for a long pause to end
                self.runtime.stop.pause(min(left, poll))
                left -= poll
                self.alive()
            if over():
                log.info("hold.ended", seconds=round(now() - began, 1))
                return
            self._outlasted(began)
            pause = min(pause * 2, breaker.probe_max.total_seconds())
            log.info("hold.goes_on", seconds=round(now() - began, 1), next_look_seconds=pause)

    def _outlasted(self, began: float) -> None:
        outlast = self.runtime.settings.delivery.holds.outlast.total_seconds()
        if self.runtime.available_now and now() - began > outlast:
            raise HoldOutlastedError(
                f"feed {self.feed} holds for {self.reason} since {now() - began:.0f} s, longer "
                f"than delivery.holds.outlast ({outlast:.0f} s); nothing is lost: run again"
            )
