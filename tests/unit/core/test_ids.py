"""Message ids and entity hashes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.ids import entity_hash, entity_hashes, id_text, message_ids

KEY = bytes(range(32))
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def number(text: str) -> int:
    """The 128 bits that an id spells."""
    value = 0
    for letter in text:
        value = value * 32 + CROCKFORD.index(letter)
    return value


@given(
    st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.integers(0, 2**48 - 1)), min_size=1)
)
def test_an_id_spells_the_commit_version_and_80_keyed_bits(messages):
    """The arithmetic in columns is the arithmetic of one 128-bit number."""
    digests = b"".join(digest for digest, _ in messages)
    versions = np.array([version for _, version in messages], dtype=np.int64)
    for text, (_, version) in zip(
        id_text(message_ids(digests, versions, KEY)), messages, strict=True
    ):
        assert len(text) == 26
        assert number(text) >> 80 == version
        assert number(text) < 2**128


def test_ids_depend_on_all_of_the_digest_and_on_the_key():
    """No two of 17 digests that differ in one byte share an id, nor do two keys."""
    digests = [bytes(16)] + [bytes(i) + b"\1" + bytes(15 - i) for i in range(16)]
    versions = np.ones(17, dtype=np.int64)
    ids = id_text(message_ids(b"".join(digests), versions, KEY))
    other = id_text(message_ids(b"".join(digests), versions, KEY[::-1]))
    assert len(set(ids)) == 17
    assert not set(ids) & set(other)


def test_a_known_id_never_changes():
    """A stored format: whoever changes this breaks every restart of every installation."""
    ids = id_text(message_ids(bytes(range(16)), np.array([7], dtype=np.int64), KEY))
    assert ids == ["0000000007VCWKZW8NXAZV0FYJ"]


def test_ids_sort_as_commits_do():
    """A later commit's id is greater, whatever its digest."""
    digests = bytes(range(160))
    ids = id_text(message_ids(digests, np.arange(10, dtype=np.int64), KEY))
    assert ids == sorted(ids)


def test_entities_hash_alike_one_by_one_and_together():
    """The loop and the single call agree, and the key matters."""
    assert entity_hashes(["person:1", "person:2"], KEY) == [
        entity_hash("person:1", KEY),
        entity_hash("person:2", KEY),
    ]
    assert entity_hash("person:1", KEY) != entity_hash("person:1", KEY[::-1])
    assert len(entity_hash("person:1", KEY)) == 16
