"""Queued messages come out as they were sealed, whatever lies beside them."""

import pyarrow as pa
import pytest

from pipeline.core.cipher import NONCE_BYTES, KeyMissingError, encrypt, keyring
from pipeline.core.records import RETRY_QUEUE
from pipeline.core.sealed import Verdict
from pipeline.core.unseal import COLUMNS, unseal

OLD, NEW = keyring(bytes(range(32))), keyring(bytes(range(1, 33)), bytes(range(32)))
PLAIN, WITH_DEVICE = b'{"integrations":{}}', b'{"context":{"device":{}}}'


def queued(*envelopes: bytes, keys=NEW) -> list[dict]:
    """Rows of the queue, in order, of two people; each call names its place."""
    return [
        {
            "message_id": f"{place:026}",
            "payload_key_id": keys.current,
            "payload": encrypt(
                keys, f"{place:026}", envelope, b'{"n":%d}' % place, bytes([place]) * NONCE_BYTES
            ),
            "entity_hash": bytes([place % 2]) * 16,
            "position": place,
            "number": place + 1,
            "attempts": place,
            "feed": "f",
            "source_version": 7,
        }
        for place, envelope in enumerate(envelopes)
    ]


def table(rows: list[dict]) -> pa.Table:
    schema = pa.schema([field for field in RETRY_QUEUE.arrow if field.name in COLUMNS])
    return pa.Table.from_pylist(rows, schema=schema)


@pytest.mark.parametrize("at_once", [1, 2, 3, 5_000])
def test_each_call_goes_with_its_own_envelope(at_once, monkeypatch):
    """A batch has one context for all its calls: a message would get another one's device.

    However many are opened at once.
    """
    monkeypatch.setattr("pipeline.core.unseal.AT_ONCE", at_once)
    sealed = unseal(table(queued(PLAIN, PLAIN, WITH_DEVICE, PLAIN, WITH_DEVICE)), NEW)
    assert [sealed.envelope_at(n) for n in range(5)] == [
        PLAIN, PLAIN, WITH_DEVICE, PLAIN, WITH_DEVICE,
    ]  # fmt: skip
    assert sealed.envelopes == (PLAIN, WITH_DEVICE)
    assert sealed.bodies.to_pylist() == [b'{"n":%d},' % n for n in range(5)]
    assert sealed.number.tolist() == [2, 3, 4, 5, 6]
    assert [one.tobytes().decode() for one in sealed.ids] == [f"{n:026}" for n in range(5)]


@pytest.mark.parametrize("at_once", [1, 2, 5_000])
def test_what_was_changed_is_dead_and_the_others_go_on(at_once, monkeypatch):
    """Nobody should wait behind it, and nobody take over its envelope."""
    monkeypatch.setattr("pipeline.core.unseal.AT_ONCE", at_once)
    rows = queued(PLAIN, WITH_DEVICE, PLAIN)
    rows[1]["payload"] = rows[1]["payload"][:-1] + b"?"
    sealed = unseal(table(rows), NEW)
    assert sealed.verdict.tolist() == [Verdict.PENDING, Verdict.DEAD, Verdict.PENDING]
    assert sealed.bodies.to_pylist() == [b'{"n":0},', None, b'{"n":2},']
    assert sealed.envelopes == (PLAIN,)
    assert sealed.words[1][:2] == ("retry", "tampered")


def test_older_keys_open_what_they_have_closed():
    """A rotation would stop drain; without the key nothing is sent, and it says what to do."""
    rows = [*queued(PLAIN, keys=OLD), queued(PLAIN, PLAIN)[1]]
    assert unseal(table(rows), NEW).bodies.to_pylist() == [b'{"n":0},', b'{"n":1},']
    with pytest.raises(KeyMissingError, match="add the older key"):
        unseal(table(rows), OLD)


def test_an_empty_slice_is_no_message():
    """A task may get none."""
    assert len(unseal(table([]), NEW)) == 0
