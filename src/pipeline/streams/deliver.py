"""Deliver one feed: what a micro-batch of its source's change feed goes through.

read -> net -> book -> guard -> slices -> (barrier, send, record, gate) -> checkpoint
"""

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.rate import adapt
from pipeline.core.seal import SealPolicy, seal
from pipeline.delivery.plan import Barrier
from pipeline.log import logger
from pipeline.source.checked import CheckedFeed
from pipeline.source.count import Counted, VersionCount, count_changes
from pipeline.source.isolate import WrongMappingError
from pipeline.source.net import net
from pipeline.source.parts import template_of
from pipeline.streams.barrier import BarrierReader
from pipeline.streams.claim import Claim
from pipeline.streams.cut import cut
from pipeline.streams.hold import DEADLINE, DESTINATION
from pipeline.streams.key_changes import audit_key_changes
from pipeline.streams.runtime import Runtime
from pipeline.streams.slice import Slice, send
from pipeline.streams.slow import Slow, half_of
from pipeline.streams.waiting import DELETE_GUARD, Waiting
from pipeline.streams.weigh import of_change, rows_a_slice, weigh
from pipeline.tables import books
from pipeline.tables.outcomes import SliceResult
from pipeline.tables.session import compile_or_interpret

JOB = "deliver"
Known = Callable[[bool], frozenset[bytes]]
"""Ids of a slice's messages that have an outcome; told whether the slice is a repeat."""
BESIDE = -1
"""In place of a micro-batch's number: changes that are delivered while a first load goes on, which
uses the same session for far more rows."""
LOW_WATER = 0.8
"""Of the queue's setting: below it a feed that held for a deep queue goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What is sent as one slice, and repeated until all of it is."""

    rows: Callable[[], DataFrame]
    """Its drafts, planned anew at each call."""
    versions: tuple[int, int]
    """First and last version of the source that it is of."""
    known: Known | None = None
    """Which of its ids have an outcome, where that is not to be read by *versions*."""
    share: float = 1.0
    """How much of the feed's rate is its."""


@dataclass(slots=True)
class DeliverFeed:
    """The foreachBatch of one feed. Carries its rate from slice to slice; all else is a value."""

    runtime: Runtime
    claim: Claim
    checked: CheckedFeed
    after_version: int
    """Changes up to this version came otherwise (a snapshot), or are not wanted (start)."""
    rate: float = field(default=0.0)
    done: bool = field(default=False)
    """A micro-batch was delivered whole since this began: later ones are of new versions, which
    nobody but the holder of this feed's lease could have given outcomes."""
    reader: BarrierReader | None = field(default=None)
    oldest: datetime | None = field(default=None)
    """When the oldest version of the micro-batch was committed."""
    weight: float = field(default=0.0)
    """Bytes of a call of the slice before; 0 as long as nobody knows."""
    overflow: bool = field(default=False)
    """The source's retention is nearly used up: the rest of the micro-batch goes to the queue."""

    @property
    def feed(self) -> str:
        """Name of the feed."""
        return self.checked.feed.name

    def __call__(self, changes: DataFrame, batch_id: int) -> None:
        """One micro-batch: rows of the change feed."""
        later = changes.where(F.col("_commit_version") > self.after_version)
        self.deliver(later, origin=books.COMMIT, batch=batch_id)

    def deliver(self, changes: DataFrame, *, origin: str, batch: int) -> None:
        """Send what *changes* mean, and leave only when every message has its outcome."""
        spark = changes.sparkSession
        log = logger(feed=self.feed, batch=batch)
        tasks = self.runtime.settings.delivery.tasks
        with ThreadPoolExecutor(max_workers=2) as beside:
            beside.submit(self.claim.look_ahead, spark, self.runtime)
            counted = count_changes(changes, self.checked.feed, partitions=tasks)
            if not counted.versions:
                return
            if batch != BESIDE:
                compile_or_interpret(spark, counted.changes)
            self.overflow = False
            self.oldest = counted.versions[0].committed_at
            booked = beside.submit(self.book, spark, counted.versions, origin)
            self._deliver(spark, changes, counted, booked)
        self.done = True
        log.info("batch.done", changes=counted.changes)

    def _deliver(
        self, spark: SparkSession, changes: DataFrame, counted: Counted, booked: Future[None]
    ) -> None:
        """Slice by slice; the first one is planned while the books are written."""
        delivery = self.runtime.settings.delivery
        self._guard(spark, counted.versions)
        netted = net(
            changes,
            self.checked.feed,
            partitions=delivery.tasks,
            unique_inserts=counted.unique_inserts,
        )
        rows = self.rows_a_slice(changes, counted, delivery.slice_rows)
        slices = math.ceil(counted.changes / rows)
        logger(feed=self.feed).info("batch.began", changes=counted.changes, slices=slices)
        versions = (counted.versions[0].version, counted.versions[-1].version)
        try:
            with cut(
                netted,
                self.checked,
                slices=slices,
                tasks=delivery.tasks,
                one_version=versions[0] == versions[1],
                keep=delivery.site == "tasks",
            ) as slice_rows:
                for number in range(slices):
                    piece = Piece(rows=partial(slice_rows, number), versions=versions)
                    self.slice_until_done(spark, piece, booked)
        except WrongMappingError as error:
            self.waiting.for_mending(spark, str(error), versions[1], counted.changes)

    def rows_a_slice(self, changes: DataFrame, counted: Counted, most: int) -> int:
        """Of *changes* in a slice: at most *most*, and not more than its tasks can hold."""

        def weight() -> float:
            return max(weigh(changes, of_change(changes.schema)), self.weight)

        each = counted.messages / counted.changes
        return rows_a_slice(self.runtime.settings, most, counted.messages, weight, each)

    def book(self, spark: SparkSession, counted: tuple[VersionCount, ...], origin: str) -> None:
        """Book what was counted; a difference from what is booked is an alert."""
        entries = [
            books.Entry(
                source_version=version.version,
                origin=origin,
                changes=version.changes,
                deletes=version.deletes,
                messages=version.messages,
                committed_at=version.committed_at,
            )
            for version in counted
        ]
        differing = books.book(
            spark,
            self.runtime.where,
            self.feed,
            self.checked.table_id,
            entries,
            are_new=self.done,
        )
        if differing:
            logger(feed=self.feed).error("books.differ", versions=differing)

    def _guard(self, spark: SparkSession, counted: tuple[VersionCount, ...]) -> None:
        """Hold before a commit whose deletes are many and a large share, until it is confirmed."""
        guard = self.checked.feed.delete_guard
        struck = [
            version
            for version in counted
            if version.deletes > guard.count and version.deletes > guard.share * version.changes
        ]
        if struck:
            deletes = sum(version.deletes for version in struck)
            self.waiting.for_release(spark, DELETE_GUARD, struck[-1].version, deletes)

    def slice_until_done(
        self,
        spark: SparkSession,
        piece: Piece,
        booked: Future[None] | None,
        halvings: int = 0,
    ) -> None:
        """Repeat a slice until nothing of it is unsent. Each repeat reads everything anew.

        One that is past its time before it has sent anything, twice, goes on in halves.
        """
        waive, repeated = False, halvings > 0
        slow = Slow(self.runtime, self.feed, halvings)
        versions, known = piece.versions, piece.known
        while True:
            self.runtime.stop.pause(0)
            audit_key_changes(spark, self.runtime, JOB)
            rows = piece.rows()  # before the barrier is read: from then on the slice's time runs
            by_version = known is None and (repeated or not self.done)
            reader = self._reader()
            barrier = reader.read(spark, self.feed, versions if by_version else None)
            if booked is not None:
                booked.result()  # nothing is sent that is not in the books
            if known is not None:
                barrier = replace(barrier, known=known(repeated))
            if self._too_deep(spark, barrier, versions[1]):
                continue
            one = Slice(
                job=JOB,
                feed=self.feed,
                rows=rows,
                read=partial(seal, policy=self._seal_policy()),
                rate=self._rate() * piece.share,
                waive_ratio=waive,
                overflow=self.overflow,
            )
            result = send(spark, self.runtime, self.claim, one, barrier, reader.result)
            self._learn(result)
            if not result.unsent:
                return
            if slow.must_halve(spark, result):
                for half in range(2):
                    rows_of = partial(half_of, piece.rows, halvings, half)
                    self.slice_until_done(spark, replace(piece, rows=rows_of), booked, halvings + 1)
                return
            waive, repeated = self._hold(spark, result, versions[1]) or waive, True

    def _reader(self) -> BarrierReader:
        if self.reader is None:
            self.reader = BarrierReader(self.runtime.where)
        return self.reader

    def _seal_policy(self) -> SealPolicy:
        return SealPolicy(
            feed=self.feed,
            envelope=self.checked.feed.envelope(),
            hashing_key=self.runtime.secrets.hashing_key,
            call_bytes=self.runtime.settings.limits.call_bytes,
            template=template_of(self.checked),
            erasure=self.checked.feed.erasure is not None,
        )

    def _rate(self) -> float:
        return self.rate or self.runtime.top_rate(JOB)

    def _learn(self, result: SliceResult) -> None:
        """Carry the rate into the next slice, and the weight of a call."""
        if result.requests:
            policy = self.runtime.settings.rate
            slow = result.median_ms > policy.slow_seconds * 1000
            trouble = result.troubled > 0 or slow
            top = self.runtime.top_rate(JOB)
            self.rate = adapt(policy, self._rate(), top, trouble=trouble)
            self.weight = result.weight

    def _hold(self, spark: SparkSession, result: SliceResult, version: int) -> bool:
        """Wait until the slice may be repeated; whether the ratio is waived from now on."""
        reasons = set(result.holds) - {DEADLINE}
        logger(feed=self.feed).warning(
            "slice.held", unsent=result.unsent, reasons=sorted(result.holds)
        )
        if ratio := sorted(reasons - DESTINATION):
            self.waiting.for_release(spark, ratio[0], version, result.unsent)
            return True
        if reasons:
            self.overflow = self.waiting.for_destination(
                spark, min(reasons), version, result.unsent
            )
        return False

    def _too_deep(self, spark: SparkSession, barrier: Barrier, version: int) -> bool:
        """Hold while more people wait in the queue than the setting allows; whether it held."""
        most = self.runtime.settings.delivery.holds.queue_entities
        depth = len(barrier.barred)
        if depth <= most or self.overflow:
            return False

        def well() -> bool:
            read = self._reader().read(spark, self.feed, None)
            return len(read.barred) <= LOW_WATER * most

        self.overflow = self.waiting.for_shorter_queue(spark, depth, version, well)
        return True

    @property
    def waiting(self) -> Waiting:
        """What the feed can wait for, with the changes that wait meanwhile."""
        return Waiting(
            runtime=self.runtime,
            claim=self.claim,
            job=JOB,
            checked=self.checked,
            oldest=self.oldest or datetime.now(UTC),
        )
