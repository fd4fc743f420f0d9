"""Drain: one tick of the retry queue.

    commands -> outcomes, outcomes -> queue (one commit), due runs -> send and record, in slices

A message leaves the queue only because a later tick takes in the outcome that this one recorded:
whatever instruction a kill hits, the next tick knows as much as this one did.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import uuid4

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core import unseal as unsealing
from pipeline.core.rate import adapt
from pipeline.delivery.plan import Barrier
from pipeline.delivery.probe import Probe
from pipeline.log import logger
from pipeline.streams import erase
from pipeline.streams.claim import Claim
from pipeline.streams.consent import Consents, withdraw
from pipeline.streams.cut import KEPT
from pipeline.streams.hold import DEADLINE, DETAILS, Hold
from pipeline.streams.key_changes import audit_key_changes
from pipeline.streams.obey import obey
from pipeline.streams.runtime import Runtime, now
from pipeline.streams.slice import Slice, send
from pipeline.streams.slow import TRIES, in_vain, tell_slow
from pipeline.streams.upkeep import upkeep
from pipeline.streams.weigh import of_message, rows_a_slice, weigh
from pipeline.tables import commands, leases, outcomes, retry_queue
from pipeline.tables.due import SLICE, Runs, find_due, runs_due
from pipeline.tables.outcomes import SliceResult
from pipeline.tables.retry_queue import Mark, Positions
from pipeline.tables.session import compile_or_interpret, prefer
from pipeline.tables.take_in import take_in

JOB = "drain"
MESSAGES: Final = 1_000_000
"""Of a tick, in so many slices that it has them: they are read from the queue at once, and whether
they were all that waited is found in this process."""
SLICES: Final = 5
"""Of a tick at most. What waits is looked through, and what has ended is taken out of the queue,
once for all of them: that costs what waits, not what is sent."""
GOES_ON_SECONDS: Final = 30.0
"""A tick that has sent for longer begins no further slice: what was queued meanwhile is looked at
between ticks."""
AS_IT_IS: Final = {"spark.sql.inMemoryColumnarStorage.compressed": "false"}
"""Spark would try to compress what it keeps: in vain with what is encrypted."""
KEPT_FOR: Final = "kept_for"
"""Which tick's rows are kept: Spark would take those of another that were left behind for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What a tick did."""

    sent: int
    """Messages that were due."""
    holds: bool
    """The destination is ill: nothing is sent until a probe finds it well."""


@dataclass(slots=True)
class Drain:
    """The foreachBatch of the retry queue. Carries its rate, and whether it probes."""

    runtime: Runtime
    claim: Claim
    rate: float = field(default=0.0)
    probe: Probe | None = field(default=None)
    hold: Hold | None = field(default=None)
    probe_at: float = field(default=0.0)
    pause: float = field(default=0.0)
    once: bool = field(default=False)
    """What is due at the first tick is sent, and nothing that comes due later: waits may be
    shorter than a tick, and then something would always be due."""
    due_at: datetime | None = field(default=None)
    limit: int = field(default=0)
    """Messages of a slice at most; fewer than the setting after ticks that were too slow."""
    vain: int = field(default=0)
    """Such ticks, one after the other."""
    weight: float = field(default=0.0)
    """Bytes of a call of the slice before; 0 as long as nobody knows."""
    slices: int = field(default=SLICES)
    """Of the next tick at most: what is read for slices that are not sent is read in vain."""
    consents: Consents = field(default_factory=Consents)

    def __call__(self, _ticks: DataFrame, batch_id: int) -> None:
        """A trigger of the rate source, whose rows say nothing."""
        self.tick(_ticks.sparkSession, batch_id)

    def tick(self, spark: SparkSession, number: int) -> Tick:
        """Take in, then send what is due."""
        where = self.runtime.where
        leases.check(spark, where, self.claim.held)
        audit_key_changes(spark, self.runtime, JOB)
        at, marks = retry_queue.heads(spark, where)
        wishes = commands.wishes(spark, where, at.commands)
        wished = max((one.version for one in wishes), default=at.commands)
        erase.request(spark, self.runtime, self.claim, wishes)
        obey(spark, where, self.claim, wishes, marks)
        upkeep(spark, self.runtime, wishes)
        lifted = erase.lifted(wishes, marks)
        asked = self.consents.asked(self.runtime.settings)
        if asked:
            withdraw(spark, self.runtime, self.claim, at.outcomes)
            self.consents.withhold(spark, self.runtime, self.claim, at.outcomes)
        found = take_in(spark, where, at, wished, lifted)
        if lifted or (found is not None and found.requests):
            _, marks = retry_queue.heads(spark, where)
        erase.carry_out(spark, self.runtime, self.claim, marks)
        if self._ill(spark):
            return Tick(sent=0, holds=True)
        if found is not None and found.emptied:
            return Tick(sent=0, holds=False)
        seen = Positions(outcomes=at.outcomes if found is None else found.upto, commands=wished)
        # Consent that is withdrawn is looked at between ticks; and the driver keeps no rows.
        one = asked or self.runtime.settings.delivery.site == "driver"
        return self._send_due(spark, number, marks, seen, slices=1 if one else self.slices)

    def _send_due(
        self,
        spark: SparkSession,
        number: int,
        marks: tuple[Mark, ...],
        seen: Positions,
        *,
        slices: int,
    ) -> Tick:
        """Send what is due, in so many slices at most; what was committed up to *seen* is known."""
        limit = self.limit or self.runtime.settings.triggers.drain_rows
        due_at = self.due_at or datetime.now(UTC)
        if self.once:
            self.due_at = due_at
        due = find_due(spark, self.runtime.where, due_at, marks)
        if due is None:
            return Tick(sent=0, holds=False)
        compile_or_interpret(spark, due.waiting)

        def weight() -> float:
            return max(weigh(due.sendable, of_message()), self.weight)

        rows = rows_a_slice(self.runtime.settings, limit, due.come, weight)
        runs = runs_due(spark, due, rows, min(slices, math.ceil(MESSAGES / rows)))
        if runs is None:
            return Tick(sent=0, holds=False)
        with self._in_order(runs) as rows_of:
            return self._send_slices(spark, number, runs.slices, rows_of, limit, seen)

    def _send_slices(
        self,
        spark: SparkSession,
        number: int,
        slices: int,
        rows_of: Callable[[int], DataFrame],
        limit: int,
        seen: Positions,
    ) -> Tick:
        """One slice after the other, until one is not sent whole or something else is wanted."""
        sent, done, began = 0, 0, now()
        last: SliceResult | None = None
        for place in range(slices):
            if place and not self._goes_on(spark, began, seen):
                break
            with ThreadPoolExecutor(max_workers=1) as beside:
                beside.submit(self.claim.look_ahead, spark, self.runtime)
                result = self._send(spark, rows_of(place), seen.outcomes)
            if not result.calls:  # the hashes of few entities leave a slice without any
                continue
            last, done, sent = result, done + 1, sent + result.calls - result.unsent
            logger(job=JOB).info(
                "tick.sent", tick=number, messages=result.calls, unsent=result.unsent
            )
            if set(result.holds) - {DEADLINE}:
                self._fall_ill(spark, result)
            if result.unsent:
                break
        if last is not None:  # of those before it each was sent whole
            self._bound(spark, limit, last)
            self.slices = 1 if last.unsent else min(2 * done, SLICES)
        return Tick(sent=sent, holds=self.probe is not None)

    @contextmanager
    def _in_order(self, runs: Runs) -> Iterator[Callable[[int], DataFrame]]:
        """The rows of each slice, an entity in one partition, in its order.

        Several slices are read from the queue at once, before the time of the first one runs, and
        kept as they lie there: encrypted. Where a platform keeps nothing, each reads its own.
        """
        rows = (
            runs.rows.select(*unsealing.COLUMNS, "queued_version", SLICE)
            .repartition(self.runtime.settings.delivery.tasks, F.col("entity_hash"))
            .sortWithinPartitions(_sending_order(), "queued_version", "position")
        )
        if runs.slices == 1:
            yield lambda place: rows.where(F.col(SLICE) == place)
            return
        rows = rows.withColumn(KEPT_FOR, F.lit(uuid4().hex))
        prefer(rows.sparkSession, AS_IT_IS)
        try:
            with suppress(PySparkException):
                rows.persist(KEPT).count()
            yield lambda place: rows.where(F.col(SLICE) == place)
        finally:
            with suppress(PySparkException):
                rows.unpersist()

    def _goes_on(self, spark: SparkSession, began: float, seen: Positions) -> bool:
        """Whether a tick that has sent since then may go on: nobody wants anything else."""
        if self.runtime.stop.asked or now() - began > GOES_ON_SECONDS:
            return False
        audit_key_changes(spark, self.runtime, JOB)
        where = self.runtime.where
        return not (
            commands.wishes(spark, where, seen.commands)
            or erase.requested(spark, where, seen.outcomes)
        )

    def _send(self, spark: SparkSession, rows: DataFrame, upto: int) -> SliceResult:
        """Send whole runs, and learn how fast to go on.

        Nobody but the holder of this lease, which `send` looks at, marks who is erased: the marks
        that this tick has read are those of now.
        """
        read_at = now()
        top = self.runtime.top_rate(JOB)
        one = Slice(
            job=JOB,
            feed=None,
            rows=rows,
            read=partial(unsealing.unseal, keys=self.runtime.keys().payload_keys),
            rate=self.rate or top,
            waive_ratio=True,  # one feed's bad rows must not park all the others'
        )
        result_of = partial(outcomes.result_after, self.runtime.where, upto)
        result = send(spark, self.runtime, self.claim, one, Barrier(read_at=read_at), result_of)
        trouble = result.troubled > 0
        self.rate = adapt(self.runtime.settings.rate, one.rate, top, trouble=trouble)
        self.weight = result.weight or self.weight
        return result

    def _bound(self, spark: SparkSession, limit: int, result: SliceResult) -> None:
        """Halve the next slices where this one took too long to prepare, else double them again."""
        most = self.runtime.settings.triggers.drain_rows
        self.vain = self.vain + 1 if in_vain(result) else 0
        if not self.vain:
            self.limit = min(limit * 2, most)
        elif self.vain >= TRIES:
            self.limit = max(min(limit, result.calls) // 2, 1)
            if self.vain == TRIES or self.limit == 1 < limit:
                tell_slow(spark, self.runtime, None, result.calls, smallest=self.limit == 1)

    def _fall_ill(self, spark: SparkSession, result: SliceResult) -> None:
        reason = min(set(result.holds) - {DEADLINE})
        self.hold = Hold(
            runtime=self.runtime,
            claim=self.claim,
            job=JOB,
            feed=None,
            reason=reason,
            detail=DETAILS.get(reason, reason),
            messages=result.unsent,
        )
        self.hold.note(spark, "began")
        self.probe = Probe(self.runtime.target)
        self.pause = self.runtime.settings.delivery.breaker.probe_initial.total_seconds()
        self.probe_at = now() + self.pause

    def _ill(self, spark: SparkSession) -> bool:
        """Whether nothing may be sent yet; probes with growing pauses."""
        if self.probe is None:
            return False
        if now() < self.probe_at:
            return True
        if self.probe.well():
            if self.hold is not None:
                self.hold.note(spark, "ended")
            self.probe, self.hold = None, None
            return False
        longest = self.runtime.settings.delivery.breaker.probe_max.total_seconds()
        self.pause = min(self.pause * 2, longest)
        self.probe_at = now() + self.pause
        return True


def _sending_order() -> Column:
    """Slice, commit and position as one number: a sort compares its first 64 bits before all else.

    Positions beyond the 24 bits that it has for them are left to the columns that come after it.
    """
    position = F.least(F.col("position"), F.lit((1 << 24) - 1))
    of_slice = F.shiftleft(F.col(SLICE).cast("bigint"), 55)
    return of_slice + F.shiftleft("queued_version", 24) + position
