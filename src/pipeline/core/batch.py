"""Pack messages into requests: as many as fit, in order, measured in bytes before each is added.

Limits: 500,000 bytes a batch, each call at most 32,000
(https://docs.customer.io/integrations/api/cdp/#operation/batch).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.core.wire import BATCH_PREFIX, batch_suffix

Places = npt.NDArray[np.int64]
"""Places of messages in a lane, ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Messages of one request."""

    places: Places
    envelope: bytes
    """JSON object of the `context` and `integrations` that the messages share."""
    alone: bool
    """One call sent to its own endpoint, since `/v1/batch` does not take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Messages sent one batch after the other. Arrays of one length, in sending order."""

    sizes: npt.NDArray[np.int64]
    """Bytes of each call in a batch, the comma that parts it from the next included."""
    envelopes: npt.NDArray[np.int32]
    """Index into the plan's envelopes."""
    alone: npt.NDArray[np.bool_]


def pack(lane: Lane, envelopes: tuple[bytes, ...], batch_bytes: int) -> Iterator[Batch]:
    """Cut a lane into batches, in order; none over *batch_bytes*, each as full as order lets it.

    A batch ends where the next call would not fit, where the envelope changes, and before and
    after a call that goes alone.
    """
    count = len(lane.sizes)
    if count == 0:
        return
    ends = np.cumsum(lane.sizes)
    breaks = _breaks(lane)
    start = 0
    for stop in [*breaks.tolist(), count]:
        envelope = envelopes[int(lane.envelopes[start])]
        alone = bool(lane.alone[start])
        room = batch_bytes - len(BATCH_PREFIX) - len(batch_suffix(envelope))
        while start < stop:
            before = int(ends[start - 1]) if start else 0
            # The last call of a batch has no comma, hence the one byte more.
            fit = int(np.searchsorted(ends, before + room + 1, side="right"))
            cut = min(max(fit, start + 1), stop)
            yield Batch(places=np.arange(start, cut), envelope=envelope, alone=alone)
            start = cut


def _breaks(lane: Lane) -> npt.NDArray[np.int64]:
    """Places at which a batch must begin."""
    changed = np.diff(lane.envelopes) != 0
    alone = lane.alone[1:] | lane.alone[:-1]
    places: npt.NDArray[np.int64] = np.flatnonzero(changed | alone) + 1
    return places


def bisect(batch: Batch) -> tuple[Batch, Batch]:
    """The two halves of a refused batch, in order, to find which call was refused."""
    half = len(batch.places) // 2
    if half == 0:
        raise ValueError("a batch of one call has no halves")
    first, second = batch.places[:half], batch.places[half:]
    return (
        Batch(places=first, envelope=batch.envelope, alone=batch.alone),
        Batch(places=second, envelope=batch.envelope, alone=batch.alone),
    )
