"""Payloads at rest."""

import pytest

from pipeline.core.cipher import KeyMissingError, TamperedError, decrypt, encrypt, keyring

OLD, NEW = bytes(32), bytes(range(32))
NONCE = bytes(12)


def test_a_payload_comes_back_whole():
    """Envelope and call, as they were."""
    keys = keyring(NEW)
    payload = encrypt(keys, "ID", b'{"context":{}}', b'{"a":1}', NONCE)
    assert b"a" not in payload[12:-16]
    assert decrypt(keys, keys.current, "ID", payload) == (b'{"context":{}}', b'{"a":1}')


def test_a_payload_belongs_to_its_message():
    """Moved to another row it can't be read; nor when a bit was changed."""
    keys = keyring(NEW)
    payload = encrypt(keys, "ID", b"{}", b"{}", NONCE)
    with pytest.raises(TamperedError):
        decrypt(keys, keys.current, "OTHER", payload)
    with pytest.raises(TamperedError):
        decrypt(keys, keys.current, "ID", payload[:-1] + bytes([payload[-1] ^ 1]))


def test_an_older_key_still_reads():
    """Rotation: the new key encrypts, the old one decrypts what is left; without it, a refusal."""
    payload = encrypt(keyring(OLD), "ID", b"{}", b"{}", NONCE)
    both = keyring(NEW, OLD)
    assert decrypt(both, keyring(OLD).current, "ID", payload) == (b"{}", b"{}")
    with pytest.raises(KeyMissingError, match="add the older key"):
        decrypt(keyring(NEW), keyring(OLD).current, "ID", payload)


def test_a_keyring_shows_ids_only():
    """No key in a repr, where a log would find it."""
    assert NEW.hex() not in repr(keyring(NEW))
    assert "x00" not in repr(keyring(OLD))
