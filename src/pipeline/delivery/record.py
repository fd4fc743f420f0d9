"""Record a task: its verdicts and requests as rows of `outcomes`."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.cipher import LINE_BREAK, NONCE_BYTES, sealer
from pipeline.core.outcome import Accepted, Held, Mixed, Rejected, Retryable
from pipeline.core.packed import fixed
from pipeline.core.records import OUTCOMES
from pipeline.core.retry import exhausted, jitter, next_attempt_at
from pipeline.core.sealed import KINDS, Verdict
from pipeline.delivery.pack import Packed, pack
from pipeline.delivery.plan import Plan
from pipeline.delivery.task import RequestRow, Task

SCHEMA = OUTCOMES.arrow
Places = npt.NDArray[np.int64]


def record(task: Task, plan: Plan, circuit: str, now: datetime) -> pa.Table:
    """Rows for all messages that have a verdict, for each request, and one for the task."""
    _count_attempts(task, plan)
    packed = pack(task, plan.packed_from)
    return pa.concat_tables(
        [
            _packed(task, packed, plan, now),
            _messages(task, packed, plan, now),
            _requests(task, plan),
            _summary(task, plan, circuit, now),
        ]
    )


def _packed(task: Task, packed: Packed, plan: Plan, now: datetime) -> pa.Table:
    """A row for each run; what its messages have in common is as in a row of one."""
    sealed, heads = task.sealed, packed.heads
    count = len(heads)
    return _table(
        count,
        kind=_same("accepted", count, "kind"),
        number=pa.array(sealed.number[heads]),
        attempts=pa.array(task.attempts[heads]),
        packed=pa.array(packed.counts),
        packed_ids=packed.ids(sealed),
        packed_entities=packed.entities(sealed),
        **_common(task, heads, plan, now),
    )


def _messages(task: Task, packed: Packed, plan: Plan, now: datetime) -> pa.Table:
    sealed = task.sealed
    alone = (task.verdict != Verdict.PENDING) & (task.verdict != Verdict.KNOWN)
    alone[packed.places] = False
    kept = np.flatnonzero(alone)
    count = len(kept)
    stages, reasons, details = _words(task, kept)
    payloads, key_ids, due = _waiting(task, plan, kept, now)
    return _table(
        count,
        kind=pa.array(KINDS, pa.string()).take(pa.array(task.verdict[kept])),
        message_id=fixed(sealed.ids[kept]).cast(pa.string()),
        entity_hash=sealed.entities.column(kept),
        number=pa.array(sealed.number[kept]),
        attempts=pa.array(task.attempts[kept]),
        position=pa.array(sealed.position[kept]),
        stage=stages,
        reason=reasons,
        detail=details,
        next_attempt_at=_sparse(count, due, "next_attempt_at"),
        payload=_sparse(count, payloads, "payload"),
        payload_key_id=_sparse(count, key_ids, "payload_key_id"),
        **_common(task, kept, plan, now),
    )


def _common(task: Task, messages: Places, plan: Plan, now: datetime) -> dict[str, pa.Array]:
    """What a row says of the message at its place, whether it is of that one alone or of a run."""
    sealed, places, count = task.sealed, pa.array(messages), len(messages)
    requests = pa.array([r.request_id for r in task.requests], pa.string())
    asked = pa.array(task.request[messages], mask=task.request[messages] < 0)
    return {
        "feed": sealed.feed.take(places),
        "source_version": sealed.source_version.take(places),
        "call_number": sealed.call_number.take(places),
        "call_type": sealed.call_type.take(places),
        "event": sealed.event.take(places),
        "request_id": requests.take(asked),
        "committed_at": sealed.committed_at.take(places),
        "recorded_at": _same(now, count, "recorded_at"),
        "job": _same(plan.job, count, "job"),
        "slice": _same(plan.slice, count, "slice"),
    }


def _words(task: Task, kept: Places) -> list[pa.Array]:
    """Stage, reason and detail; most messages have none. Sending has the last word."""
    spoken = {**task.sealed.words, **task.words}
    rows = np.searchsorted(kept, list(spoken)).tolist()
    found: list[dict[int, str | None]] = [{}, {}, {}]
    for row, (place, words) in zip(rows, spoken.items(), strict=True):
        if row < len(kept) and kept[row] == place:
            for column, word in zip(found, words, strict=True):
                column[row] = word
    names = ("stage", "reason", "detail")
    return [_sparse(len(kept), column, n) for n, column in zip(names, found, strict=True)]


def _sparse(count: int, values: Mapping[int, object], column: str) -> pa.Array:
    """A column of *count* rows, null where *values* has none."""
    type_ = SCHEMA.field(column).type
    if not values:
        return pa.nulls(count, type_)
    return pa.array([values.get(row) for row in range(count)], type_)


def _count_attempts(task: Task, plan: Plan) -> None:
    """A failure counts where most requests of the task were accepted: then it is the message's.

    The last counted one makes a dead letter.
    """
    task.attempts[(task.verdict == Verdict.ACCEPTED) | (task.failed & _well(task, plan))] += 1
    for place in np.flatnonzero(task.failed).tolist():
        if exhausted(plan.retry, int(task.attempts[place])):
            task.verdict[place] = Verdict.DEAD
            _, reason, detail = task.words[place]
            task.words[place] = ("retry", "attempts_exhausted", detail or reason)


def _well(task: Task, plan: Plan) -> bool:
    judged = [r for r in task.requests if isinstance(r.sent.outcome, Accepted | Mixed | Retryable)]
    accepted = sum(isinstance(r.sent.outcome, Accepted | Mixed) for r in judged)
    return accepted > plan.retry.counted_share * len(judged)


def _waiting(
    task: Task, plan: Plan, kept: Places, now: datetime
) -> tuple[dict[int, bytes], dict[int, str], dict[int, datetime]]:
    """Encrypted payloads of what was not accepted, their key's id, and when to try again.

    By row; most rows have none.
    """
    payloads: dict[int, bytes] = {}
    key_ids: dict[int, str] = {}
    due: dict[int, datetime] = {}
    sealed = task.sealed
    verdict = task.verdict[kept]
    rows = np.flatnonzero((verdict == Verdict.QUEUED) | (verdict == Verdict.DEAD))
    calls = sealed.bodies.take(pa.array(kept[rows])).to_pylist()
    envelopes = [envelope + LINE_BREAK for envelope in sealed.envelopes]
    seal = sealer(plan.keys)
    for row, call in zip(rows.tolist(), calls, strict=True):
        place = int(kept[row])
        message_id = sealed.ids[place].tobytes().decode()
        if call is not None:
            lines = envelopes[sealed.envelope[place]] + call.removesuffix(b",")
            payloads[row] = seal(message_id, lines, os.urandom(NONCE_BYTES))
            key_ids[row] = plan.keys.current
        if task.failed[place] and task.verdict[place] == Verdict.QUEUED:
            number = int(sealed.number[place])
            due[row] = next_attempt_at(
                plan.retry,
                number,
                now,
                jitter=jitter(message_id, number),
                retry_after=task.retry_after.get(place, timedelta()),
            )
    return payloads, key_ids, due


def _requests(task: Task, plan: Plan) -> pa.Table:
    rows = task.requests
    return _table(
        len(rows),
        kind=_same("request", len(rows), "kind"),
        request_id=pa.array([r.request_id for r in rows], pa.string()),
        recorded_at=pa.array(
            [datetime.fromtimestamp(r.sent.at, UTC) for r in rows],
            SCHEMA.field("recorded_at").type,
        ),
        feed=_same(_feed(task), len(rows), "feed"),
        job=_same(plan.job, len(rows), "job"),
        slice=_same(plan.slice, len(rows), "slice"),
        endpoint=pa.array([r.endpoint for r in rows], pa.string()),
        status=pa.array([r.sent.status for r in rows], pa.int32()),
        duration_ms=pa.array([round(r.sent.seconds * 1000, 3) for r in rows], pa.float64()),
        bytes=pa.array([r.size for r in rows], pa.int64()),
        calls=pa.array([r.calls for r in rows], pa.int32()),
        reason=pa.array([_reason(r) for r in rows], pa.string()),
        answer=pa.array([_answer(r) for r in rows], pa.string()),
    )


def _feed(task: Task) -> str | None:
    """The feed, where the task has messages of one only."""
    feeds = pc.unique(task.sealed.feed).to_pylist()
    return feeds[0] if len(feeds) == 1 else None


def _reason(row: RequestRow) -> str | None:
    match row.sent.outcome:
        case Accepted():
            return None
        case (
            Retryable(reason=reason)
            | Rejected(reason=reason)
            | Held(reason=reason)
            | Mixed(reason=reason)
        ):
            return reason


def _answer(row: RequestRow) -> str | None:
    match row.sent.outcome:
        case Rejected(detail=detail):
            return detail
        case Accepted() | Retryable() | Held() | Mixed():
            return None


def _summary(task: Task, plan: Plan, circuit: str, now: datetime) -> pa.Table:
    """One row a task: proof that the append was not skipped, and what the driver goes on with."""
    unsent = int(np.count_nonzero(task.verdict == Verdict.PENDING))
    return _table(
        1,
        kind=_same("task", 1, "kind"),
        feed=_same(_feed(task), 1, "feed"),
        recorded_at=_same(now, 1, "recorded_at"),
        job=_same(plan.job, 1, "job"),
        slice=_same(plan.slice, 1, "slice"),
        calls=_same(len(task.sealed), 1, "calls"),
        unsent=_same(unsent, 1, "unsent"),
        circuit=_same(circuit, 1, "circuit"),
        reason=_same(task.hold, 1, "reason"),
    )


def _same(value: object, count: int, column: str) -> pa.Array:
    return pa.repeat(pa.scalar(value, SCHEMA.field(column).type), count)


def _table(count: int, **columns: pa.Array) -> pa.Table:
    """A table of all columns of `outcomes`; those not given are null."""
    return pa.table(
        {
            field.name: columns[field.name].cast(field.type)
            if field.name in columns
            else pa.nulls(count, field.type)
            for field in SCHEMA
        },
        schema=SCHEMA,
    )
