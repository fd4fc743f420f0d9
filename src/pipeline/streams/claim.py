"""A lease in use: it numbers the appends that it fences, and is looked at before and after each."""

import threading
from typing import Any

from pyspark.sql import SparkSession

from pipeline.core.lease import txn_version
from pipeline.log import logger
from pipeline.streams.runtime import Runtime
from pipeline.tables import leases


class Claim:
    """What this process holds of a job's lease."""

    def __init__(self, held: leases.Held) -> None:
        self.held = held
        self._counter = 0
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Without the lock, which cannot travel."""
        return {"held": self.held, "_counter": self._counter}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """With a new lock."""
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def next_number(self) -> int:
        """The transaction version of the next append."""
        with self._lock:
            self._counter += 1
            return txn_version(self.held.epoch, self._counter)


def claim(spark: SparkSession, runtime: Runtime, name: str) -> Claim:
    """Take the lease; where it was not released, wait until nothing of its holder can arrive.

    Raises:
        LeaseHeldError: another process holds it and lives.
    """
    log = logger(lease=name)
    held = leases.acquire(
        spark,
        runtime.where,
        name,
        leases.holder_name(),
        answer_within=runtime.settings.lease.answer_within.total_seconds(),
        sleep=runtime.stop.pause,
    )
    if held.taken_over:
        seconds = runtime.longest_slice()
        log.warning("lease.taken_over", epoch=held.epoch, waiting_seconds=seconds)
        runtime.stop.pause(seconds)
    log.info("lease.claimed", epoch=held.epoch)
    return Claim(held)
