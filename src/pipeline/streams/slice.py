"""Send one slice: read the barrier, send, record in one commit, look at what came of it.

The order of the steps is the protocol's: lease, queue and outcomes at pinned versions, send and
record in one action, lease again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from pipeline.core.records import OUTCOMES
from pipeline.delivery.deliver import Read, deliver
from pipeline.delivery.plan import Barrier, Plan
from pipeline.streams.claim import Claim
from pipeline.streams.runtime import Runtime, now
from pipeline.tables import leases, outcomes, retry_queue
from pipeline.tables.layout import Layout
from pipeline.tables.rows import frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What is to be sent: rows of drafts or of the queue, in order within each partition."""

    job: str
    feed: str | None
    rows: DataFrame
    read: Read
    rate: float
    waive_ratio: bool = False


def read_barrier(
    spark: SparkSession, where: Layout, feed: str, versions: tuple[int, int] | None
) -> Barrier:
    """Which entities wait, which are erased, and what of *versions* has an outcome.

    The queue is read first, at one version; then the outcomes after its position are folded on
    top of it, so that what drain has not taken in yet counts as well. *versions* is None where
    no message of the slice can have an outcome yet.
    """
    read_at = now()
    state = retry_queue.pinned(spark, where)
    rows = outcomes.fold_rows(outcomes.message_rows(spark, where, state.positions.outcomes))
    return Barrier(
        read_at=read_at,
        barred=retry_queue.barred_entities(state, rows),
        erased=state.erased,
        known=frozenset()
        if versions is None
        else outcomes.known_ids(spark, where, feed, *versions),
    )


def send(
    spark: SparkSession, runtime: Runtime, claim: Claim, one: Slice, barrier: Barrier
) -> outcomes.SliceResult:
    """Send and record; what the slice's tasks reported.

    Raises:
        LeaseLostError: somebody else has taken over; nothing was recorded.
    """
    where = runtime.where
    leases.check(spark, where, claim.held)
    number = claim.next_number()
    plan = runtime.plan(one.job, number, barrier, one.rate, waive_ratio=one.waive_ratio)
    rows = _in_driver(spark, one, plan) if _at_driver(runtime) else _in_tasks(one, plan)
    outcomes.append(where, rows, claim.held.app, number)
    result = outcomes.slice_result(spark, where, one.job, one.feed, number)
    if result.tasks == 0:  # nothing to send, or an append that Delta skipped for its epoch
        leases.check(spark, where, claim.held)
    return result


def _at_driver(runtime: Runtime) -> bool:
    return runtime.settings.delivery.site == "driver"


def _in_tasks(one: Slice, plan: Plan) -> DataFrame:
    """The one action that sends also writes: this DataFrame must be evaluated once."""
    read = one.read

    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from run(batches, plan, read)

    return one.rows.mapInArrow(task, OUTCOMES.ddl)


def _in_driver(spark: SparkSession, one: Slice, plan: Plan) -> DataFrame:
    sent = list(run(iter(one.rows.toArrow().to_batches()), plan, one.read))
    return frame(spark, OUTCOMES, pa.Table.from_batches(sent, OUTCOMES.arrow))


def run(batches: Iterator[pa.RecordBatch], plan: Plan, read: Read) -> Iterator[pa.RecordBatch]:
    """The async delivery, as the plain iterator that Spark wants of a task."""
    rows = deliver(batches, plan, read)
    with asyncio.Runner() as runner:
        while (batch := runner.run(_next(rows))) is not None:
            yield batch


async def _next(rows: AsyncIterator[pa.RecordBatch]) -> pa.RecordBatch | None:
    return await anext(rows, None)
