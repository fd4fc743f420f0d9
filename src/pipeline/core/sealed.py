"""Messages as columns: what a task holds between reading its slice and recording it.

Never an object a message: a slice has hundreds of thousands, and Python's collector would look at
each of them again and again.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class Verdict(IntEnum):
    """What is known of a message so far. The order is that of `KINDS`."""

    PENDING = 0
    """To be sent; at the end of a slice: unsent, so it gets no row."""
    ACCEPTED = 1
    QUEUED = 2
    DEAD = 3
    SKIPPED = 4
    CANCELLED = 5
    KNOWN = 6
    """Has an outcome from before a restart or a hold, so it gets no second one."""


KINDS: Final = (None, "accepted", "queued", "dead", "skipped", "cancelled", None)

NO_ENTITY: Final = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """n messages in sending order; all columns have length n."""

    ids: npt.NDArray[np.uint8]
    """(n, 26) ASCII."""
    bodies: pa.LargeBinaryArray
    """The call as JSON with its id in it, a comma at its end; null where there is none to send."""
    entity_hashes: list[bytes]
    """16 bytes each; empty where the entity can't be told."""
    feed: pa.Array
    source_version: pa.Array
    committed_at: pa.Array
    call_number: pa.Array
    call_type: pa.Array
    event: pa.Array
    position: npt.NDArray[np.int64]
    number: npt.NDArray[np.int32]
    """Number of the outcome that comes next."""
    attempts: npt.NDArray[np.int32]
    """Counted attempts so far."""
    envelope: npt.NDArray[np.int32]
    """Index into `envelopes`."""
    envelopes: tuple[bytes, ...]
    verdict: npt.NDArray[np.int8]
    """First verdicts, from mapping and validation."""
    stage: list[str | None]
    reason: list[str | None]
    detail: list[str | None]

    def __len__(self) -> int:
        """Number of messages."""
        return len(self.ids)


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def offsets(bodies: pa.LargeBinaryArray) -> npt.NDArray[np.int64]:
    """The n + 1 offsets of the array's data buffer."""
    buffer = bodies.buffers()[1]
    if buffer is None:
        return np.zeros(1, dtype=np.int64)
    return np.frombuffer(buffer, dtype=np.int64)[bodies.offset : bodies.offset + len(bodies) + 1]


def data(bodies: pa.LargeBinaryArray) -> memoryview:
    """The bytes of all bodies, one after the other."""
    buffer = bodies.buffers()[2]
    return memoryview(buffer) if buffer is not None else memoryview(b"")
