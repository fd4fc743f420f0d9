"""Finding the calls in a body."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sandbox.read import read

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(calls=st.lists(JSON, max_size=6), indent=st.sampled_from([None, 1]), plain=st.booleans())
def test_each_call_is_found_where_it_stands(calls, indent, plain):
    """The bytes of each item are its call, whatever stands around it."""
    body = json.dumps({"batch": calls}, indent=indent, ensure_ascii=plain).encode()
    reading = read("batch", body)
    assert reading.error is None
    assert [json.loads(reading.raw(item)) for item in reading.items] == calls


def test_a_call_alone_is_the_whole_body():
    """At its own endpoint the body is the call."""
    reading = read("track", b' {"userId": "u", "event": "e"} ')
    assert [(i.offset, i.size) for i in reading.items] == [(0, 31)]
    assert reading.calls[0].userId == "u"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "malformed"),
        (b'{"batch": [', "malformed"),
        (b'{"batch": ["\xff"]}', "malformed"),
        (b'{"batch": {}}', "no batch"),
        (b"[]", "no batch"),
        (b'{"messages": []}', "no batch"),
        (b'{"batch": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}", "malformed"),
    ],
)
def test_what_says_nothing(body, words):
    """A body that is no batch has no calls, and says why."""
    reading = read("batch", body)
    assert reading.items == ()
    assert words in (reading.error or "")


def test_compressed_bodies():
    """A gzip body is read up to a size; a damaged or endless one is malformed."""
    body = b'{"userId": "u"}'
    packed = gzip.compress(body)
    assert read("track", packed, encoding="gzip", most=len(body)).body == body
    for bad, most in ((packed[:-9], 0), (body, 0), (packed, len(body) - 1)):
        assert (read("track", bad, encoding="gzip", most=most).error or "").startswith("malformed")


def test_a_wrong_type_leaves_the_others():
    """A call with a field of a wrong type is found, though not understood."""
    reading = read("batch", b'{"batch":[{"userId":5},{"userId":"u"}]}')
    assert [item.call is None for item in reading.items] == [True, False]
