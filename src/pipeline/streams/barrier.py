"""Read the barrier before a slice, and what became of the slice after it."""

from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from pipeline.core.records import RETRY_QUEUE
from pipeline.delivery.plan import Barrier
from pipeline.streams.runtime import now
from pipeline.tables import outcomes, retry_queue
from pipeline.tables.layout import Layout
from pipeline.tables.retry_queue import QueueState

FOLDED: Final = 20_000
"""Rows of outcomes that are kept beside the queue before it is read whole again, where drain has
taken them in."""


@dataclass(slots=True)
class BarrierReader:
    """Reads one barrier after the other, each time only what was committed since the last.

    The queue is read first, at one version; then the outcomes after its position are folded on
    top of it, so that what drain has not taken in yet counts as well. The queue is nothing but
    a fold of outcomes, so what it takes in later need not be read again from it: the fold goes on
    here, and of a newer version only the marks of erased people are read, until many rows have
    gathered. A copy of this in another process begins anew.
    """

    where: Layout
    _queue_version: int = field(default=-1)
    _queue: QueueState | None = field(default=None)
    _upto: int = field(default=-1)
    """Commit of `outcomes` that the last read saw."""
    _rows: pa.Table | None = field(default=None)
    """What concerns the queue, from its position on."""
    _barred: frozenset[bytes] = field(default=frozenset())
    _stale: bool = field(default=True)

    def read(self, spark: SparkSession, feed: str, versions: tuple[int, int] | None) -> Barrier:
        """Entities that wait or are erased, and what of *versions* has an outcome.

        *versions* is None where no message of the slice can have an outcome yet.
        """
        read_at = now()
        queue = self._read_queue(spark)
        self._read_on(spark)
        if self._stale and self._rows is not None:
            self._barred = retry_queue.barred_entities(queue, self._rows)
            self._stale = False
        known = (
            frozenset[bytes]()
            if versions is None
            else outcomes.known_ids(spark, self.where, feed, *versions)
        )
        return Barrier(read_at=read_at, barred=self._barred, erased=queue.erased, known=known)

    def result(
        self, spark: SparkSession, job: str, feed: str | None, number: int
    ) -> outcomes.SliceResult:
        """What the tasks of the slice that was just recorded reported."""
        rows = self._read_on(spark, slice_=(job, number))
        own = pc.and_(pc.equal(rows["job"], job), pc.equal(rows["slice"], number))
        rows = rows.filter(own)
        of_feed = pc.or_kleene(pc.is_null(rows["feed"]), pc.equal(rows["feed"], feed))
        return outcomes.reported(rows.filter(of_feed))

    def _read_queue(self, spark: SparkSession) -> QueueState:
        """The queue as it was read last, with the marks of its newest version."""
        version = self.where.place(RETRY_QUEUE).version(spark)
        many = self._rows is not None and self._rows.num_rows > FOLDED
        if self._queue is None or (version != self._queue_version and many):
            self._queue = retry_queue.pinned(spark, self.where, version)
            self._upto, self._rows = self._queue.positions.outcomes, None
            self._stale = True
        elif version != self._queue_version:
            erased = retry_queue.erased(spark, self.where, version)
            self._queue = replace(self._queue, erased=erased)
        self._queue_version = version
        return self._queue

    def _read_on(self, spark: SparkSession, slice_: tuple[str, int] | None = None) -> pa.Table:
        """Rows of `outcomes` after the last read: what concerns the queue, and who reported."""
        rows = outcomes.read_on(spark, self.where, self._upto, slice_)
        self._upto = max(self._upto, pc.max(rows["_commit_version"]).as_py() or 0)
        messages = rows.filter(pc.invert(pc.is_in(rows["kind"], pa.array(outcomes.REPORTS))))
        if messages.num_rows or self._rows is None:
            new = messages.select(outcomes.FOLDED)
            self._rows = new if self._rows is None else pa.concat_tables([self._rows, new])
            self._stale = True
        return rows
