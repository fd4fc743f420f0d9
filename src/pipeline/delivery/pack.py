"""Find accepted messages that can share a row of `outcomes` (`pipeline.core.packed`)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.core.ids import ENTITY_HASH_BYTES
from pipeline.core.packed import joined
from pipeline.core.sealed import Sealed, Verdict
from pipeline.delivery.task import Task

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Messages that share rows: run i is `places[bounds[i]:bounds[i + 1]]`."""

    places: Places
    bounds: npt.NDArray[np.int64]

    @property
    def heads(self) -> Places:
        """The first message of each run: what it says but for id and entity holds for all."""
        return self.places[self.bounds[:-1]]

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Messages of each run."""
        counts: npt.NDArray[np.int64] = np.diff(self.bounds)
        return counts

    def ids(self, sealed: Sealed) -> pa.BinaryArray:
        """The ids of each run, one after the other."""
        return joined(sealed.ids[self.places], self.bounds)

    def entities(self, sealed: Sealed) -> pa.BinaryArray:
        """The entity hashes of each run, one after the other."""
        hashes = np.frombuffer(b"".join(sealed.entities.hashes), dtype=np.uint8)
        codes = sealed.entities.codes[self.places]
        return joined(hashes.reshape(-1, ENTITY_HASH_BYTES)[codes], self.bounds)


NOTHING = Packed(places=np.zeros(0, np.int64), bounds=np.zeros(1, np.int64))


def pack(task: Task, least: int) -> Packed:
    """Runs of *least* messages or more that one request delivered.

    They agree in all columns of `outcomes` but id, entity, and their place in the queue, which is
    over.
    """
    sealed = task.sealed
    fits = (task.verdict == Verdict.ACCEPTED) & (sealed.entities.codes >= 0) & (task.request >= 0)
    places = np.flatnonzero(fits)
    if least == 0 or len(places) < least:
        return NOTHING
    keys: list[npt.NDArray[np.signedinteger]] = [task.request[places], *_differing(task, places)]
    # Requests first, messages of one in their order; few requests sort by their 16 bits at once.
    requests = keys[0].astype(np.uint16) if len(task.requests) < 2**16 else keys[0]
    order = np.argsort(requests, kind="stable") if len(keys) == 1 else np.lexsort(keys[::-1])
    new = np.zeros(len(places), dtype=np.bool_)
    new[0] = True
    for key in keys:
        sorted_ = key[order]
        new[1:] |= sorted_[1:] != sorted_[:-1]
    starts = np.flatnonzero(new)
    counts = np.diff(starts, append=len(places))
    kept = counts >= least
    bounds = np.concatenate(([0], np.cumsum(counts[kept])))
    return Packed(places=places[order[np.repeat(kept, counts)]], bounds=bounds)


def _differing(task: Task, places: Places) -> Iterator[npt.NDArray[np.int64]]:
    """Codes of the columns that are not the same in all messages; mostly none."""
    sealed, here = task.sealed, pa.array(places)
    for column in (sealed.source_version, sealed.committed_at, sealed.call_number):
        numbers = column.take(here).cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        if numbers.min() != numbers.max():
            yield numbers
    for counts in (sealed.number[places], task.attempts[places]):
        if counts.min() != counts.max():
            yield counts.astype(np.int64)
    for column in (sealed.call_type, sealed.event, sealed.feed):
        codes = column.take(here).dictionary_encode()
        if len(codes.dictionary) + bool(codes.null_count) > 1:
            yield codes.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
