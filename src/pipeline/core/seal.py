"""Seal drafts: give each its id, hash its entity, measure its bytes.

A draft comes from Spark with the values of its call, which are assembled here with the id among
them. Where Spark has built the call itself, 26 zeros stand where the id will be, so that sealing is
one copy of the column's buffer and one scatter into it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.assemble import Template, assemble
from pipeline.core.draft import ENVELOPE
from pipeline.core.erasure import REQUESTED, STAGE
from pipeline.core.ids import ID_LENGTH, entity_hashes, message_ids
from pipeline.core.sealed import Entities, Sealed, Verdict, Words, fixed_bytes, offsets, whole

ID_OFFSET: Final = len('{"messageId":"')
"""Where in a body its id stands."""

_VERDICTS: Final = {"dead": Verdict.DEAD, "skipped": Verdict.SKIPPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class SealPolicy:
    """What sealing needs beside the drafts."""

    feed: str
    envelope: bytes
    """JSON object: the feed's constant `context` and `integrations`."""
    hashing_key: bytes
    call_bytes: int
    """Bytes of a call at most: more is answered 200 and dropped, so it is refused here."""
    template: Template | None = None
    """How the calls are assembled of the columns beside the drafts; None: Spark has built them."""
    erasure: bool = False
    """The feed's calls are requests to erase: queued, never sent from here."""


def seal(drafts: pa.Table, policy: SealPolicy) -> Sealed:
    """Drafts (`pipeline.core.draft`) of one task to messages, in the same order."""
    drafts = drafts.combine_chunks()
    count = drafts.num_rows
    versions = drafts["source_version"].to_numpy()
    ids = message_ids(fixed_bytes(drafts["digest"]), versions, policy.hashing_key)
    verdict, words = _judged(drafts)
    mapped = np.ones(count, dtype=np.bool_)
    mapped[[place for place, (stage, _, _) in words.items() if stage == "map"]] = False
    if policy.template is None:
        bodies = _splice(_large(drafts["body"]), ids, mapped)
    else:
        bodies = _assembled(drafts, ids, mapped & (verdict != Verdict.SKIPPED), policy.template)
    envelope, envelopes = _envelopes(drafts, policy.envelope)
    sizes = np.diff(offsets(bodies)) - 1  # the comma is not the call's
    if len(envelopes) > 1:  # a call's own envelope is part of the call; the feed's is the batch's
        own = np.array([0, *(len(one) - 1 for one in envelopes[1:])], dtype=np.int64)
        sizes += own[envelope]
    _refuse_large(sizes, verdict, words, policy.call_bytes)
    if policy.erasure:
        for place in np.flatnonzero(verdict == Verdict.PENDING).tolist():
            verdict[place], words[place] = Verdict.QUEUED, (STAGE, REQUESTED, None)
    return Sealed(
        ids=ids,
        bodies=bodies,
        entities=_hash_entities(drafts["entity"], policy.hashing_key),
        feed=pa.array([policy.feed], pa.string()).take(pa.array(np.zeros(count, np.int32))),
        source_version=whole(drafts["source_version"]),
        committed_at=whole(drafts["committed_at"]),
        call_number=whole(drafts["call_number"]),
        call_type=whole(drafts["call_type"]),
        event=whole(drafts["event"]),
        position=np.arange(count, dtype=np.int64),
        number=np.ones(count, dtype=np.int32),
        attempts=np.zeros(count, dtype=np.int32),
        envelope=envelope,
        envelopes=envelopes,
        verdict=verdict,
        words=words,
    )


def _judged(drafts: pa.Table) -> tuple[npt.NDArray[np.int8], dict[int, Words]]:
    """First verdicts, and the words of those that are not to be sent; most are."""
    verdict = np.full(drafts.num_rows, Verdict.PENDING, dtype=np.int8)
    places = np.flatnonzero(drafts["kind"].is_valid().to_numpy())
    judged = drafts.select(["kind", "stage", "reason", "detail"]).take(pa.array(places))
    kinds, stages, reasons, details = (column.to_pylist() for column in judged.columns)
    verdict[places] = [_VERDICTS[kind] for kind in kinds]
    return verdict, dict(
        zip(places.tolist(), zip(stages, reasons, details, strict=True), strict=True)
    )


def _large(column: pa.ChunkedArray) -> pa.LargeBinaryArray:
    return whole(column.cast(pa.large_string()).cast(pa.large_binary()))


def _splice(
    bodies: pa.LargeBinaryArray, ids: npt.NDArray[np.uint8], mapped: npt.NDArray[np.bool_]
) -> pa.LargeBinaryArray:
    """Put each id into its place, where there is a call to put it into."""
    if len(bodies) == 0 or bodies.buffers()[2] is None:
        return bodies
    places = offsets(bodies)
    text = np.frombuffer(bodies.buffers()[2], dtype=np.uint8).copy()
    sendable = bodies.is_valid().to_numpy(zero_copy_only=False) & mapped
    starts = places[:-1][sendable] + ID_OFFSET
    text[starts[:, None] + np.arange(ID_LENGTH)] = ids[sendable]
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(),
        len(bodies),
        [bodies.buffers()[0], pa.py_buffer(places.copy()), pa.py_buffer(text)],
    )


def _assembled(
    drafts: pa.Table,
    ids: npt.NDArray[np.uint8],
    wanted: npt.NDArray[np.bool_],
    template: Template,
) -> pa.LargeBinaryArray:
    """Calls made of their values where they are *wanted*; elsewhere what the draft has."""
    if np.all(wanted):
        return assemble(drafts, ids, template).cast(pa.large_binary())
    made = assemble(drafts.filter(pa.array(wanted)), ids[wanted], template)
    places = pa.array(np.cumsum(wanted) - 1, mask=~wanted)
    return pc.coalesce(made.cast(pa.large_binary()).take(places), _large(drafts["body"]))


def _envelopes(drafts: pa.Table, feeds: bytes) -> tuple[npt.NDArray[np.int32], tuple[bytes, ...]]:
    """The envelope of each call as an index; the first is the feed's."""
    if ENVELOPE.name not in drafts.column_names:
        return np.zeros(drafts.num_rows, dtype=np.int32), (feeds,)
    encoded = pc.dictionary_encode(whole(drafts[ENVELOPE.name]))
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return codes + np.int32(1), (feeds, *(one.encode() for one in encoded.dictionary.to_pylist()))


def _refuse_large(
    sizes: npt.NDArray[np.int64],
    verdict: npt.NDArray[np.int8],
    words: dict[int, Words],
    call_bytes: int,
) -> None:
    """Calls that the destination would drop in silence are dead letters of stage `size`."""
    for place in np.flatnonzero((sizes > call_bytes) & (verdict == Verdict.PENDING)).tolist():
        verdict[place] = Verdict.DEAD
        words[place] = (
            "size",
            "call_too_large",
            f"{int(sizes[place])} bytes, at most {call_bytes}",
        )


def _hash_entities(column: pa.ChunkedArray, hashing_key: bytes) -> Entities:
    """A keyed hash each, computed once for each distinct entity."""
    encoded = pc.dictionary_encode(whole(column))
    return Entities(
        codes=encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False),
        hashes=tuple(entity_hashes(encoded.dictionary.to_pylist(), hashing_key)),
    )
