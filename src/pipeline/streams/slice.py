"""Send one slice: record it in one commit, and look at what came of it.

The order of the steps is the protocol's: lease, barrier (`streams.barrier`), send and record in
one action, lease again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from pipeline.core.records import OUTCOMES
from pipeline.delivery.deliver import Read, deliver
from pipeline.delivery.plan import Barrier, Plan
from pipeline.streams.claim import Claim
from pipeline.streams.runtime import Runtime
from pipeline.tables import leases, outcomes
from pipeline.tables.rows import frame

ResultOf = Callable[[SparkSession, str, str | None, int], outcomes.SliceResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What is to be sent: rows of drafts or of the queue, in order within each partition."""

    job: str
    feed: str | None
    rows: DataFrame
    read: Read
    rate: float
    waive_ratio: bool = False
    overflow: bool = False


def send(
    spark: SparkSession,
    runtime: Runtime,
    claim: Claim,
    one: Slice,
    barrier: Barrier,
    result_of: ResultOf,
) -> outcomes.SliceResult:
    """Send and record; what the slice's tasks reported, as *result_of* reads it.

    Raises:
        LeaseLostError: somebody else has taken over; nothing was recorded.
    """
    where = runtime.where
    leases.check(spark, where, claim.held)
    number = claim.next_number()
    plan = runtime.plan(
        one.job,
        number,
        barrier,
        one.rate,
        waive_ratio=one.waive_ratio,
        overflow=one.overflow,
    )
    rows = _in_driver(spark, one, plan) if _at_driver(runtime) else _in_tasks(one, plan)
    outcomes.append(where, rows, claim.held.app, number)
    result = result_of(spark, one.job, one.feed, number)
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
