"""Message ids and entity hashes: pure functions of a keyed secret that never rotates.

A message id is shaped as a ULID, since Customer.io deduplicates on ULIDs where it does at all
(https://docs.customer.io/integrations/api/cdp/). Its 48 bits of time hold the source's commit
version, so that ids sort as commits do; the other 80 bits are the first of AES(key, digest),
where the digest is 128 bits of SHA-256 over what identifies the call.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ID_LENGTH = 26
"""Characters of a ULID."""
DIGEST_BYTES = 16
ENTITY_HASH_BYTES = 16

CROCKFORD = np.frombuffer(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", dtype=np.uint8)
_DIGIT = 5
"""Bits."""
_TIME = 10
"""Digits of the commit version."""
_GROUP_BYTES = 5
"""As many bytes as whole digits: eight."""
_PAIRS = np.stack(np.meshgrid(CROCKFORD, CROCKFORD, indexing="ij"), axis=-1).view(np.uint16).ravel()
"""Two digits of each number of ten bits, side by side in memory."""

Bytes2D = npt.NDArray[np.uint8]


def derive(hashing_key: bytes, purpose: str) -> bytes:
    """A 32-byte key of its own for *purpose*, so that no two uses share one."""
    return hashlib.blake2b(purpose.encode(), key=hashing_key, digest_size=32).digest()


def message_ids(digests: bytes, versions: npt.NDArray[np.int64], hashing_key: bytes) -> Bytes2D:
    """Ids as an (n, 26) array of ASCII, from n digests of 16 bytes and n commit versions.

    One AES call over the whole buffer and a few table look-ups: no loop over messages. ECB is right
    here and nowhere else: each block is a hash of its own, and what is wanted is a keyed
    permutation.
    """
    count = len(versions)
    if len(digests) != count * DIGEST_BYTES:
        raise ValueError(f"{len(digests)} bytes of digests for {count} messages")
    cipher = Cipher(algorithms.AES(derive(hashing_key, "message-id")), modes.ECB())  # noqa: S305
    keyed = np.frombuffer(cipher.encryptor().update(digests), dtype=np.uint8).reshape(count, 16)
    out = np.empty((count, ID_LENGTH), dtype=np.uint8)
    out[:, :_TIME] = _times(versions)
    out[:, _TIME:] = _base32(keyed[:, : 2 * _GROUP_BYTES])
    return out


def _times(versions: npt.NDArray[np.int64]) -> Bytes2D:
    """The first ten digits; a micro-batch has few versions."""
    few, places = np.unique(versions, return_inverse=True)
    shifts = np.arange(_DIGIT * (_TIME - 1), -1, -_DIGIT)
    digits: Bytes2D = CROCKFORD[(few[:, None] >> shifts) & 31]
    return digits[places]


def _base32(random: Bytes2D) -> Bytes2D:
    """Ten bytes as sixteen digits: groups of five bytes, and in each four pairs of digits."""
    padded = np.zeros((len(random), 2, 8), dtype=np.uint8)
    padded[:, :, 8 - _GROUP_BYTES :] = random.reshape(len(random), 2, _GROUP_BYTES)
    groups = padded.view(">u8")[:, :, 0].astype(np.uint64)
    pairs = np.empty((len(random), 2, 4), dtype=np.uint16)
    for place in range(4):
        shift = np.uint64(2 * _DIGIT * (3 - place))
        pairs[:, :, place] = _PAIRS[(groups >> shift) & np.uint64(1023)]
    return pairs.view(np.uint8).reshape(len(random), ID_LENGTH - _TIME)


def ulid(milliseconds: int, random: bytes) -> str:
    """An id of time and chance, for a call that comes from no table; *random* has 10 bytes."""
    number = int.from_bytes(milliseconds.to_bytes(6) + random)
    digits = (number >> _DIGIT * place & 31 for place in reversed(range(ID_LENGTH)))
    return bytes(CROCKFORD[digit] for digit in digits).decode("ascii")


def id_text(ids: Bytes2D) -> list[str]:
    """The (n, 26) array as n strings."""
    text = ids.tobytes().decode("ascii")
    return [text[i : i + ID_LENGTH] for i in range(0, len(text), ID_LENGTH)]


def entity_hash(entity: str, hashing_key: bytes) -> bytes:
    """16 bytes of keyed BLAKE2b: finds a person for who has the key, and for nobody else."""
    return hashlib.blake2b(
        entity.encode(), key=derive(hashing_key, "entity"), digest_size=ENTITY_HASH_BYTES
    ).digest()


def entity_hashes(entities: Iterable[str], hashing_key: bytes) -> list[bytes]:
    """As `entity_hash` for many; 0.5 microseconds each."""
    key = derive(hashing_key, "entity")
    blake2b = hashlib.blake2b
    return [
        blake2b(entity.encode(), key=key, digest_size=ENTITY_HASH_BYTES).digest()
        for entity in entities
    ]
