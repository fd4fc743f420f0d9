"""A lease in use: it numbers the appends that it fences, and is looked at before and after each."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from pipeline.core.lease import txn_version
from pipeline.log import logger
from pipeline.streams.runtime import Runtime
from pipeline.tables import leases, outcomes


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

    def look_ahead(self, spark: SparkSession, runtime: Runtime) -> None:
        """Have Delta find out beforehand what the next append will ask: which were made already.

        After each commit that takes it half a second of its own, in which a slice can be counted
        and planned. It writes nothing: the fence is there since the lease was claimed.
        """
        epoch = txn_version(self.held.epoch, 0)
        try:
            outcomes.fence(spark, runtime.where, self.held.app, epoch)
        except PySparkException as error:  # the append itself will say what is wrong
            logger(lease=self.held.name).debug("lease.look_ahead", error=type(error).__name__)

    def prove(self, spark: SparkSession, runtime: Runtime) -> None:
        """Write to `outcomes`, before anything is sent again by what failed.

        A disk that is full, or a table that can't be written, would else let each restart send a
        slice that nobody records, and the receiver would have it again and again.
        """
        if self._counter:
            outcomes.fence(spark, runtime.where, self.held.app, self.next_number())


def claim_all(spark: SparkSession, runtime: Runtime, names: Sequence[str]) -> list[Claim]:
    """Take the leases; where one was not released, wait until nothing of its holder can arrive.

    All at once and one wait for all, so that a restart takes as long with fifty feeds as with one.

    Raises:
        LeaseHeldError: another process holds one and lives; those that were taken are released.
    """
    held: list[leases.Held] = []
    try:
        with ThreadPoolExecutor(max_workers=min(len(names), 8)) as pool:
            asked = [pool.submit(_acquire, spark, runtime, name) for name in names]
        held.extend(one.result() for one in asked if one.exception() is None)
        for one in asked:
            one.result()
        if any(lease.taken_over for lease in held):
            runtime.stop.pause(runtime.longest_slice())
    except BaseException:
        for lease in held:
            if not lease.taken_over:  # else the next one must wait as well: it is not released
                leases.release(spark, runtime.where, lease)
        raise
    for lease in held:
        logger(lease=lease.name).info("lease.claimed", epoch=lease.epoch)
    return [Claim(lease) for lease in held]


def _acquire(spark: SparkSession, runtime: Runtime, name: str) -> leases.Held:
    held = leases.acquire(
        spark,
        runtime.where,
        name,
        leases.holder_name(),
        answer_within=runtime.settings.lease.answer_within.total_seconds(),
        sleep=runtime.stop.pause,
    )
    if held.taken_over:
        logger(lease=name).warning(
            "lease.taken_over", epoch=held.epoch, waiting_seconds=runtime.longest_slice()
        )
    return held
