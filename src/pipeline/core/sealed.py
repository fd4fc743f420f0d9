"""Messages as columns: what a task holds between reading its slice and recording it.

Never an object a message: a slice has hundreds of thousands, and Python's collector would look at
each of them again and again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


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


DEVICE_EVENTS: Final = ("Device Created or Updated", "Device Deleted")

Words = tuple[str, str, str | None]
"""Stage, reason and detail of what was refused, skipped or put off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entities:
    """Whom each of n messages is about: codes into the few distinct entities."""

    codes: npt.NDArray[np.int32]
    """Index into `hashes`; -1 where the entity can't be told."""
    hashes: tuple[bytes, ...]
    """16 bytes each, all different."""

    def __getitem__(self, place: int) -> bytes:
        """The entity's hash; empty where it can't be told."""
        code = int(self.codes[place])
        return self.hashes[code] if code >= 0 else NO_ENTITY

    def places_of(self, wanted: frozenset[bytes]) -> list[int]:
        """Places of the messages that are about one of *wanted*."""
        codes = [code for code, hash_ in enumerate(self.hashes) if hash_ in wanted]
        places: list[int] = np.flatnonzero(np.isin(self.codes, codes)).tolist() if codes else []
        return places

    def lanes(self, count: int) -> npt.NDArray[np.uint64]:
        """A number below *count* for each message, the same for all of an entity."""
        heads = np.frombuffer(
            b"".join(hash_[:8] for hash_ in self.hashes) + bytes(8), dtype=np.uint64
        )
        lanes: npt.NDArray[np.uint64] = (heads % np.uint64(count))[self.codes]
        return lanes

    def column(self, places: npt.NDArray[np.int64]) -> pa.Array:
        """The hashes at *places*, null where the entity can't be told."""
        codes = self.codes[places]
        return pa.array(self.hashes, pa.binary()).take(pa.array(codes, mask=codes < 0))


def entities(column: pa.Array) -> Entities:
    """From a binary column of hashes, null or empty where the entity can't be told."""
    encoded = column.dictionary_encode()
    hashes: list[bytes] = encoded.dictionary.to_pylist()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    if NO_ENTITY in hashes:
        codes[codes == hashes.index(NO_ENTITY)] = -1
    return Entities(codes=codes, hashes=tuple(hashes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """n messages in sending order; all columns have length n."""

    ids: npt.NDArray[np.uint8]
    """(n, 26) ASCII."""
    bodies: pa.LargeBinaryArray
    """The call as JSON with its id in it, a comma at its end; null where there is none to send."""
    entities: Entities
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
    words: Mapping[int, Words]
    """Of the messages that mapping and validation had something to say about, by place."""
    alone: npt.NDArray[np.bool_] | None = None
    """Which go to their own endpoint; where nothing is said: aliases, and what is about a device,
    since a batch has one context for all its calls."""

    def __len__(self) -> int:
        """Number of messages."""
        return len(self.ids)

    def envelope_at(self, place: int) -> bytes:
        """The `context` and `integrations` that the message at *place* goes with."""
        return self.envelopes[int(self.envelope[place])]

    def call_at(self, place: int) -> Any:
        """The call at *place* as JSON has it, with the envelope of its own where it has one."""
        call = json.loads(self.bodies[place].as_py().removesuffix(b","))
        own = json.loads(self.envelope_at(place)) if int(self.envelope[place]) else {}
        return {**call, **own}

    def alone_at(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which of the messages at *places* go to their own endpoint."""
        if self.alone is not None:
            return self.alone[places]
        here = pa.array(places)
        aliases = pc.equal(self.call_type.take(here), "alias").fill_null(False)
        devices = pc.is_in(self.event.take(here), pa.array(DEVICE_EVENTS))
        found: npt.NDArray[np.bool_] = pc.or_(aliases, devices).to_numpy(zero_copy_only=False)
        return found


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


def fixed_bytes(column: pa.ChunkedArray) -> bytes:
    """The values of a column that all have one width, one after the other.

    Raises:
        ValueError: one is missing.
    """
    array = whole(column.cast(pa.large_binary()))
    if array.null_count:
        raise ValueError("a message has no id, or a draft no digest")
    places = offsets(array)
    return bytes(data(array)[int(places[0]) : int(places[-1])]) if len(array) else b""
