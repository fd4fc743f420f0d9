"""Send one lane: its batches one after the other, as the protocol's model has it.

- Behind its first unsent message a lane sends nothing.
- What failed bars its entity: later messages of it queue up behind.
- A batch refused with 400 is bisected until the refused call stands alone; bars are looked at
  again between the halves.
"""

from collections import deque
from collections.abc import Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.core.batch import Batch, Lane, bisect, pack
from pipeline.core.outcome import Accepted, Held, Mixed, Rejected, Retryable
from pipeline.core.sealed import NO_ENTITY, Sealed, data, offsets
from pipeline.core.wire import Request, batch_request, single_request
from pipeline.delivery.attempt import Attempts, Sent
from pipeline.delivery.task import Task

Places = npt.NDArray[np.int64]


async def send_lane(task: Task, places: Places, attempts: Attempts) -> None:
    """Send the messages at *places* of the task, in order, until done or the task holds."""
    bodies: pa.LargeBinaryArray = task.sealed.bodies.take(pa.array(places))
    todo = deque(batches(task, places, bodies))
    barred: set[bytes] = set()
    while todo:
        batch = _without_barred(task, places, todo.popleft(), barred)
        if task.hold is not None or batch is None:
            continue
        here = places[batch.places]
        request = _request(task.sealed, bodies, batch, here)
        logged: list[int] = []
        note = partial(_note, task, request, len(here), logged)
        outcome = await attempts.send(request, note)
        if isinstance(outcome, Rejected) and len(here) > 1:
            todo.extendleft(reversed(bisect(batch)))
            continue
        asked = logged[-1] if logged else -1
        if isinstance(outcome, Mixed):
            _settle_each(task, here, outcome, asked)
            continue
        task.settle(here, outcome, asked)
        match outcome:
            case Retryable():
                barred.update(_entities(task.sealed, here))
            case Accepted() | Rejected() | Held():
                pass


def batches(task: Task, places: Places, bodies: pa.LargeBinaryArray) -> Iterator[Batch]:
    """The requests that the lane of *places* starts with; *bodies* are those of the places."""
    cut = _cut(task.sealed, places, bodies)
    return pack(cut, task.sealed.envelopes, task.pace.batch_bytes)


def _settle_each(task: Task, here: Places, outcome: Mixed, asked: int) -> None:
    """What the answer names is refused, the rest accepted; places that are not there are nobody's.

    Accepted first: the share of refused calls is then judged with the whole batch in view.
    """
    refused = {one.place: one for one in outcome.refused if one.place < len(here)}
    accepted = np.array([i for i in range(len(here)) if i not in refused], dtype=np.int64)
    task.settle(here[accepted], Accepted(), asked)
    for place, one in refused.items():
        rejected = Rejected(reason=outcome.reason, detail=one.detail)
        task.settle(here[place : place + 1], rejected, asked)


def _cut(sealed: Sealed, places: Places, bodies: pa.LargeBinaryArray) -> Lane:
    return Lane(
        sizes=np.diff(offsets(bodies)),
        envelopes=sealed.envelope[places],
        alone=sealed.alone_at(places),
    )


def _note(task: Task, request: Request, calls: int, logged: list[int], sent: Sent) -> None:
    logged.append(task.log(request.endpoint, calls, len(request.body), sent))


def _entities(sealed: Sealed, places: Places) -> list[bytes]:
    return [hash_ for p in places.tolist() if (hash_ := sealed.entities[p]) != NO_ENTITY]


def _without_barred(task: Task, places: Places, batch: Batch, barred: set[bytes]) -> Batch | None:
    """The batch without messages of barred entities, which are queued; None when none is left."""
    if not barred:
        return batch
    stays = []
    for spot in batch.places.tolist():
        place = int(places[spot])
        if task.sealed.entities[place] in barred:
            task.bar(place)
        else:
            stays.append(spot)
    if not stays:
        return None
    return Batch(places=np.array(stays, dtype=np.int64), envelope=batch.envelope, alone=batch.alone)


def _request(sealed: Sealed, bodies: pa.LargeBinaryArray, batch: Batch, here: Places) -> Request:
    """The request's bytes: one slice of the lane's buffer where its messages lie side by side."""
    text, starts = data(bodies), offsets(bodies)
    first, last = int(batch.places[0]), int(batch.places[-1])
    if last - first + 1 == len(batch.places):
        calls: bytes | memoryview = text[int(starts[first]) : int(starts[last + 1])]
    else:
        calls = b"".join(text[int(starts[s]) : int(starts[s + 1])] for s in batch.places.tolist())
    if batch.alone:
        kind = sealed.call_type[int(here[0])].as_py()
        return single_request(kind, bytes(calls), batch.envelope)
    return batch_request(calls, batch.envelope)
