"""Unseal queued messages: decrypt their calls, to be sent again as they were sealed."""

import numpy as np
import pyarrow as pa

from pipeline.core.cipher import LINE_BREAK, Keyring, TamperedError, opener
from pipeline.core.ids import ID_LENGTH
from pipeline.core.sealed import Sealed, Verdict, Words, entities, whole


def unseal(queued: pa.Table, keys: Keyring) -> Sealed:
    """Rows of `retry_queue`, in sending order, to messages.

    A payload that was changed is dead: nobody should wait behind it.

    Raises:
        KeyMissingError: an older key is missing; nothing is sent, nothing lost.
    """
    queued = queued.combine_chunks()
    count = queued.num_rows
    ids: list[str] = queued["message_id"].to_pylist()
    bodies: list[bytes | None] = []
    envelope_of: dict[bytes, int] = {}
    opens = opener(keys)
    head, code = LINE_BREAK, 0  # which nothing begins with: an envelope is a JSON object
    envelope = np.zeros(count, dtype=np.int32)
    verdict = np.zeros(count, dtype=np.int8)
    words: dict[int, Words] = {}
    payloads = zip(
        ids, queued["payload_key_id"].to_pylist(), queued["payload"].to_pylist(), strict=True
    )
    for place, (message_id, key, payload) in enumerate(payloads):
        try:
            plain = opens(key, message_id, payload)
        except TamperedError as error:
            verdict[place] = Verdict.DEAD
            words[place] = ("retry", "tampered", str(error))
            bodies.append(None)
            continue
        if not plain.startswith(head):  # mostly it has the envelope of the one before
            head = plain[: plain.index(LINE_BREAK) + 1]
            code = envelope_of.setdefault(head[:-1], len(envelope_of))
        envelope[place] = code
        bodies.append(plain[len(head) :] + b",")
    kept = {name: whole(queued[name]) for name in _KEPT}
    return Sealed(
        ids=np.frombuffer("".join(ids).encode(), dtype=np.uint8).reshape(count, ID_LENGTH),
        bodies=pa.array(bodies, pa.large_binary()),
        entities=entities(whole(queued["entity_hash"])),
        position=queued["position"].to_numpy(),
        number=queued["number"].to_numpy() + np.int32(1),
        attempts=queued["attempts"].to_numpy(),
        envelope=envelope,
        envelopes=tuple(envelope_of) or (b"{}",),
        verdict=verdict,
        words=words,
        **kept,
    )


_KEPT = ("feed", "source_version", "committed_at", "call_number", "call_type", "event")
COLUMNS = (
    "message_id", "payload_key_id", "payload", "entity_hash", "position", "number", "attempts",
    *_KEPT,
)  # fmt: skip
"""What of a queue's row is needed to send it again."""
