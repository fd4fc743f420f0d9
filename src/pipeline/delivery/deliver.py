"""Deliver a task's part of a slice: one async generator, Arrow batches in, Arrow batches out.

The same code runs in a Spark task and in the driver. It takes all its input before it sends
anything: an error of the input can then never leave sent messages without their record.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pybreaker

from pipeline.core.sealed import Sealed, Verdict, offsets
from pipeline.delivery.attempt import Attempts
from pipeline.delivery.lane import send_lane
from pipeline.delivery.limiter import Limiter
from pipeline.delivery.plan import Plan
from pipeline.delivery.record import record
from pipeline.delivery.task import Task
from pipeline.delivery.transport import HttpTransport, Transport

Read = Callable[[pa.Table], Sealed]
"""Seals drafts, or unseals queued messages."""
Open = Callable[[Plan], AbstractAsyncContextManager[Transport]]

DRIVER_PROBES = timedelta(days=1)
"""A task's open circuit stays open: the driver alone probes."""


def over_http(plan: Plan) -> AbstractAsyncContextManager[Transport]:
    """The real transport."""
    return HttpTransport(plan.target, plan.pace.lanes)


async def deliver(
    batches: Iterable[pa.RecordBatch], plan: Plan, read: Read, open_transport: Open = over_http
) -> AsyncIterator[pa.RecordBatch]:
    """Send what the batches hold, and yield the rows of `outcomes` that say what became of it."""
    limiter = Limiter(plan.pace.rate, time.monotonic)  # fills while the input is read
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    if not tables:
        return
    task = Task(read(pa.concat_tables(tables)), plan.pace, plan.waive_ratio)
    judge(task, plan)
    breaker = pybreaker.CircuitBreaker(
        fail_max=plan.pace.breaker_failures, reset_timeout=DRIVER_PROBES.total_seconds()
    )
    if task.hold is None and np.any(task.verdict == Verdict.PENDING):
        async with open_transport(plan) as transport, asyncio.TaskGroup() as group:
            attempts = Attempts(
                transport=transport,
                limiter=limiter,
                breaker=breaker,
                pace=plan.pace,
                deadline=plan.deadline,
                clock=time.time,
                sleep=asyncio.sleep,
            )
            for places in lanes(task):
                group.create_task(send_lane(task, places, attempts))
    circuit = str(breaker.current_state)
    for batch in record(task, plan, circuit, datetime.now(UTC)).to_batches():
        yield batch


def judge(task: Task, plan: Plan) -> None:
    """What can be said before anything is sent, in the order that the protocol's model has.

    A message with an outcome gets none; an erased person's is cancelled; what mapping refused or
    skipped stays so; and what has an earlier message of its entity waiting, queues up behind it.
    """
    sealed, verdict, barrier = task.sealed, task.verdict, plan.barrier
    if barrier.known:
        known = _isin(sealed.ids, barrier.known)
        verdict[known] = Verdict.KNOWN
    if barrier.erased:
        for place in sealed.entities.places_of(barrier.erased):
            if verdict[place] not in (Verdict.KNOWN, Verdict.QUEUED):  # queued: asks to erase
                verdict[place] = Verdict.CANCELLED
                task.words[place] = ("command", "erased", None)
    if _too_many_dead(task):
        verdict[verdict != Verdict.KNOWN] = Verdict.PENDING
        task.stop("dead_share")
        return
    if barrier.barred:
        for place in sealed.entities.places_of(barrier.barred):
            if verdict[place] == Verdict.PENDING:
                task.bar(place)
    if plan.overflow:
        _put_off(task)


def _put_off(task: Task) -> None:
    """Queue what is left, unsent: the source will not keep it until the destination is well."""
    for place in np.flatnonzero(task.verdict == Verdict.PENDING).tolist():
        task.bar(place, "overflow")


def _too_many_dead(task: Task) -> bool:
    """A share of dead letters that means a wrong mapping, not bad rows. Nothing is recorded."""
    if task.waive_ratio:
        return False
    judged = np.count_nonzero(task.verdict != Verdict.KNOWN)
    dead = np.count_nonzero(task.verdict == Verdict.DEAD)
    return bool(dead >= task.pace.dead_count and dead > task.pace.dead_share * judged)


def lanes(task: Task) -> list[npt.NDArray[np.int64]]:
    """Places of what is to be sent, by lane; an entity has one lane, its order is kept.

    No more lanes than there will be requests: little work would only make small batches.
    """
    sealed = task.sealed
    todo = np.flatnonzero(task.verdict == Verdict.PENDING)
    if len(todo) == 0:
        return []
    size = int(np.diff(offsets(sealed.bodies))[todo].sum())
    alone = int(np.count_nonzero(sealed.alone_at(todo)))
    others = len(sealed.envelopes) - 1
    count = min(task.pace.lanes, size // task.pace.batch_bytes + alone + others + 1)
    lane = sealed.entities.lanes(count)[todo]
    return [todo[lane == number] for number in range(count) if np.any(lane == number)]


def _isin(ids: npt.NDArray[np.uint8], known: frozenset[bytes]) -> npt.NDArray[np.bool_]:
    text = ids.tobytes()
    width = ids.shape[1]
    return np.fromiter(
        (text[i : i + width] in known for i in range(0, len(text), width)), np.bool_, len(ids)
    )
