"""Payloads at rest: AES-256-GCM, tied to their message, with the id of their key beside them.

The plaintext of format 1 is two lines: the batch's envelope (constant `context` and
`integrations`, a JSON object), then the call's compact JSON. JSON text has no raw line break, so
the first one parts the two.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
LINE_BREAK = b"\n"
Open = Callable[[str, str, bytes], bytes]
"""Id of the key, id of the message, and payload, to both lines."""


class KeyMissingError(Exception):
    """A stored payload was encrypted with a key that is not at hand."""


class TamperedError(Exception):
    """A stored payload was changed, or belongs to another message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The keys of one process. Never printed: `repr` shows ids only."""

    current: str
    """Id of the key that new payloads are encrypted with."""
    keys: Mapping[str, bytes]
    """Key id to 32 bytes; older keys stay until all rows are re-encrypted."""

    def __repr__(self) -> str:
        """Ids only."""
        return f"Keyring(current={self.current!r}, ids={sorted(self.keys)!r})"


def key_id(key: bytes) -> str:
    """The short public name of a key: 8 hex digits of a hash that tells nothing about it."""
    return hashlib.blake2b(key, digest_size=4, person=b"payload-key-id").hexdigest()


def keyring(current: bytes, *older: bytes) -> Keyring:
    """A keyring of 32-byte keys, the first of which encrypts."""
    for key in (current, *older):
        if len(key) != KEY_BYTES:
            raise ValueError(f"an encryption key has {KEY_BYTES} bytes, this one {len(key)}")
    return Keyring(current=key_id(current), keys={key_id(k): k for k in (current, *older)})


def encrypt(keys: Keyring, message_id: str, envelope: bytes, call: bytes, nonce: bytes) -> bytes:
    """Nonce, ciphertext and tag. *nonce* is 12 fresh random bytes, made by the caller."""
    return sealer(keys)(message_id, envelope + LINE_BREAK + call, nonce)


def sealer(keys: Keyring) -> Callable[[str, bytes, bytes], bytes]:
    """What encrypts many payloads: id of the message, both lines, and a nonce, to a payload.

    The key is prepared once here, which takes longer than to use it.
    """
    seals = AESGCM(keys.keys[keys.current]).encrypt

    def seal(message_id: str, lines: bytes, nonce: bytes) -> bytes:
        return nonce + seals(nonce, lines, _associated(message_id))

    return seal


def decrypt(keys: Keyring, key_id: str, message_id: str, payload: bytes) -> tuple[bytes, bytes]:
    """Envelope and call.

    Raises:
        KeyMissingError: give this target the older key as well.
        TamperedError: the payload was changed or belongs to another message.
    """
    envelope, _, call = opener(keys)(key_id, message_id, payload).partition(LINE_BREAK)
    return envelope, call


def opener(keys: Keyring) -> Open:
    """What decrypts many payloads, by the id of its key and of its message, to both lines.

    It raises as `decrypt` does; each key is prepared once.
    """
    ciphers = {name: AESGCM(key).decrypt for name, key in keys.keys.items()}

    def open_(key_id: str, message_id: str, payload: bytes) -> bytes:
        opens = ciphers.get(key_id)
        if opens is None:
            raise KeyMissingError(
                f"message {message_id}: payload key {key_id} is not at hand (there are "
                f"{', '.join(sorted(ciphers))}); add the older key to the keys of this target"
            )
        try:
            return opens(payload[:NONCE_BYTES], payload[NONCE_BYTES:], _associated(message_id))
        except InvalidTag as error:
            raise TamperedError(f"message {message_id}: its payload was changed") from error

    return open_


def _associated(message_id: str) -> bytes:
    """Ties a ciphertext to its message, in whichever table it lies."""
    return b"payload/1/" + message_id.encode()
