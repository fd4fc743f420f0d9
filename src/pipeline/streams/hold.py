"""Hold: the stream waits, its checkpoint stays, the source table is the buffer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from pyspark.sql import SparkSession

from pipeline.delivery.probe import Probe
from pipeline.log import logger
from pipeline.streams.claim import Claim
from pipeline.streams.retention import RetentionWatch
from pipeline.streams.runtime import HoldOutlastedError, Runtime, StopRequestedError, now
from pipeline.tables import holds, leases

DEADLINE: Final = "deadline"
"""Not ill, only slow: the slice is repeated at once."""
DESTINATION: Final = frozenset({"http_401", "http_403", "circuit_open"})
"""The destination's fault: the driver probes, and goes on by itself."""
NOTE_AGAIN: Final = 300.0
"""Seconds after which `holds` says again that a hold goes on; the log says it at each look."""

DETAILS: Final = {
    "http_401": "the destination refuses the key: correct it; goes on by itself",
    "http_403": "the destination refuses the key or the address: correct it; goes on by itself",
    "circuit_open": "the destination fails: probed with growing pauses; goes on by itself",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One hold: whose, why, and since when. A value: it is noted at its steps."""

    runtime: Runtime
    claim: Claim
    job: str
    feed: str | None
    reason: str
    detail: str
    source_version: int | None = None
    messages: int | None = None
    hold_id: str = field(default_factory=lambda: str(uuid4()))
    began_at: float = field(default_factory=now)

    def wait_for_destination(self, spark: SparkSession, watch: RetentionWatch) -> bool:
        """Probe with growing pauses until the destination is well, or the source overflows.

        Whether it overflows: then what is left goes to the queue unsent.

        Raises:
            HoldOutlastedError, StopRequestedError, LeaseLostError.
        """
        probe = Probe(self.runtime.target)
        overflows = False

        def over() -> bool:
            nonlocal overflows
            overflows = watch.overflows(spark)
            return overflows or probe.well()

        self.wait_for(spark, over)
        return overflows

    def wait_for(self, spark: SparkSession, over: Callable[[], bool]) -> None:
        """Wait, with growing pauses, until it is *over*; the table `holds` says so meanwhile."""
        self.note(spark, "began")
        try:
            self._wait(spark, over)
        except (StopRequestedError, HoldOutlastedError):
            self.note(spark, "left")
            raise
        self.note(spark, "ended")

    def note(self, spark: SparkSession, entry: holds.Entry) -> None:
        """Say how it stands, in the log and in the table."""
        log = logger(feed=self.feed, job=self.job, reason=self.reason)
        seconds = round(now() - self.began_at, 1)
        match entry:
            case "began":
                log.warning("hold.began", detail=self.detail, source_version=self.source_version)
            case "goes_on":
                log.info("hold.goes_on", seconds=seconds)
            case "ended":
                log.info("hold.ended", seconds=seconds)
            case "left":
                log.info("hold.left", seconds=seconds)
        noted = holds.Noted(
            hold_id=self.hold_id,
            job=self.job,
            feed=self.feed,
            reason=self.reason,
            detail=self.detail,
            began_at=datetime.fromtimestamp(self.began_at, UTC),
            source_version=self.source_version,
            messages=self.messages,
        )
        holds.note(spark, self.runtime.where, noted, entry, self.claim.next_number())

    def _wait(self, spark: SparkSession, over: Callable[[], bool]) -> None:
        breaker = self.runtime.settings.delivery.breaker
        pause = breaker.probe_initial.total_seconds()
        poll = self.runtime.settings.lease.poll.total_seconds()
        noted_at = self.began_at
        while True:
            left = pause
            while left > 0:  # a challenge must not wait for a long pause to end
                self.runtime.stop.pause(min(left, poll))
                left -= poll
                leases.check(spark, self.runtime.where, self.claim.held)
            if over():
                return
            self._outlasted()
            pause = min(pause * 2, breaker.probe_max.total_seconds())
            if now() - noted_at > NOTE_AGAIN:
                noted_at = now()
                self.note(spark, "goes_on")
            else:
                logger(feed=self.feed, job=self.job, reason=self.reason).info(
                    "hold.goes_on",
                    seconds=round(now() - self.began_at, 1),
                    next_look_seconds=pause,
                )

    def _outlasted(self) -> None:
        outlast = self.runtime.settings.delivery.holds.outlast.total_seconds()
        if self.runtime.available_now and now() - self.began_at > outlast:
            raise HoldOutlastedError(
                f"feed {self.feed} holds for {self.reason} since {now() - self.began_at:.0f} s, "
                f"longer than delivery.holds.outlast ({outlast:.0f} s); nothing is lost: run again"
            )


def end_left(spark: SparkSession, runtime: Runtime, claims: Iterable[Claim]) -> None:
    """End what the holders before left open: these hold anew where the cause is still there."""
    by_name = {claim.held.name: claim for claim in claims}
    for one in holds.current(spark, runtime.where):
        noted = one.noted
        name = noted.job if noted.feed is None else f"{noted.job}/{noted.feed}"
        if (claim := by_name.get(name)) is not None:
            holds.note(spark, runtime.where, noted, "ended", claim.next_number())
