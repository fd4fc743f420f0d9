"""Unseal queued messages: decrypt their calls, to be sent again as they were sealed."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.core.cipher import LINE_BREAK, Keyring, Open, TamperedError, opener
from pipeline.core.ids import ID_LENGTH
from pipeline.core.sealed import Sealed, Verdict, Words, entities, fixed_bytes, whole

AT_ONCE: Final = 5_000
"""Messages that are Python's bytes at the same time: the next ones take their memory, which is
still in the processor's cache. With half a million at once, opening took half as long again."""


def unseal(queued: pa.Table, keys: Keyring) -> Sealed:
    """Rows of `retry_queue`, in sending order, to messages.

    A payload that was changed is dead: nobody should wait behind it.

    Raises:
        KeyMissingError: an older key is missing; nothing is sent, nothing lost.
    """
    queued = queued.combine_chunks()
    opened = _Opened.of(queued, keys)
    ids = np.frombuffer(fixed_bytes(queued["message_id"]), dtype=np.uint8)
    kept = {name: whole(queued[name]) for name in _KEPT}
    return Sealed(
        ids=ids.reshape(-1, ID_LENGTH),
        bodies=pa.chunked_array(opened.bodies, pa.large_binary()).combine_chunks(),
        entities=entities(whole(queued["entity_hash"])),
        position=queued["position"].to_numpy(),
        number=queued["number"].to_numpy() + np.int32(1),
        attempts=queued["attempts"].to_numpy(),
        envelope=opened.envelope,
        envelopes=tuple(opened.envelopes) or (b"{}",),
        verdict=opened.verdict,
        words=opened.words,
        **kept,
    )


@dataclass(slots=True)
class _Opened:
    """What became of the payloads of n messages, as far as they were opened."""

    envelope: npt.NDArray[np.int32]
    verdict: npt.NDArray[np.int8]
    bodies: list[pa.LargeBinaryArray] = field(default_factory=list)
    envelopes: dict[bytes, int] = field(default_factory=dict)
    """Index of each."""
    words: dict[int, Words] = field(default_factory=dict)

    @classmethod
    def of(cls, queued: pa.Table, keys: Keyring) -> "_Opened":
        """Open all of them, some after the others."""
        count = queued.num_rows
        opened = cls(
            envelope=np.zeros(count, dtype=np.int32),
            verdict=np.zeros(count, dtype=np.int8),
        )
        opens = opener(keys)
        for first in range(0, count, AT_ONCE):
            opened.open_some(first, queued.slice(first, AT_ONCE), opens)
        return opened

    def open_some(self, first: int, queued: pa.Table, opens: Open) -> None:
        """Open those from place *first* on."""
        columns = (queued[name].to_pylist() for name in ("payload_key_id", "message_id", "payload"))
        places = range(first, first + queued.num_rows)
        bodies: list[bytes | None] = []
        head = LINE_BREAK  # which nothing begins with: an envelope is a JSON object
        for place, key_id, message_id, payload in zip(places, *columns, strict=True):
            try:
                plain = opens(key_id, message_id, payload)
            except TamperedError as error:
                self.verdict[place] = Verdict.DEAD
                self.words[place] = ("retry", "tampered", str(error))
                bodies.append(None)
                continue
            if not plain.startswith(head):  # mostly it has the envelope of the one before
                head = plain[: plain.index(LINE_BREAK) + 1]
                code = self.envelopes.setdefault(head[:-1], len(self.envelopes))
                self.envelope[place : places.stop] = code
            bodies.append(plain[len(head) :] + b",")
        self.bodies.append(pa.array(bodies, pa.large_binary()))


_KEPT = ("feed", "source_version", "committed_at", "call_number", "call_type", "event")
COLUMNS = (
    "message_id", "payload_key_id", "payload", "entity_hash", "position", "number", "attempts",
    *_KEPT,
)  # fmt: skip
"""What of a queue's row is needed to send it again."""
