"""Calls assembled of columns are the JSON that a JSON library would write of the same values."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.core.assemble import Part, PartKind, Template, assemble, escaped, times
from pipeline.core.ids import CROCKFORD, ID_LENGTH

ODD = 'q"\\\n\x00\x1f\x7f\u2028\u00e9\U0001f426'
texts = st.none() | st.text(max_size=8) | st.just(ODD) | st.just("plain")
reals = st.none() | st.floats(allow_nan=False, allow_infinity=False)
wholes = st.none() | st.integers(-(2**63), 2**63 - 1)
flags = st.none() | st.booleans()
moments = st.none() | st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999).map(
    lambda micros: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
)
rows = st.lists(st.tuples(texts, moments, texts, reals, wholes, flags, texts), max_size=12)
MEMBERS = (
    Part(name='a "b"', column="text"),
    Part(name="real", kind=PartKind.REAL, column="real"),
    Part(name="whole", kind=PartKind.WHOLE, column="whole"),
    Part(name="flag", kind=PartKind.WHOLE, column="flag"),
    Part(name="made", kind=PartKind.JSON, column="made"),
)
TYPES = pa.schema(
    [
        ("user", pa.string()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("text", pa.string()),
        ("real", pa.float64()),
        ("whole", pa.int64()),
        ("flag", pa.bool_()),
        ("made", pa.string()),
    ]
)


def template(*, nulls, members=MEMBERS):
    return Template(
        fields=(
            Part(name="type", constant="track"),
            Part(name="userId", column="user"),
            Part(name="event", constant='say "hi"'),
            Part(name="timestamp", kind=PartKind.TIME, column="at"),
        ),
        content="properties",
        members=members,
        nulls=nulls,
    )


def table(found):
    columns = list(zip(*found, strict=True)) or [[] for _ in TYPES]
    columns[-1] = [None if one is None else json.dumps({"v": [one]}) for one in columns[-1]]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, TYPES, strict=True)], TYPES)


def spelled(at):
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def expected(row, place, *, nulls):
    user, at, text, real, whole, flag, made = row
    content = {
        'a "b"': text,
        "real": real,
        "whole": whole,
        "flag": flag,
        "made": None if made is None else [made],
    }
    call = {
        "messageId": f"{place:026}",
        "type": "track",
        "userId": user,
        "event": 'say "hi"',
        "timestamp": None if at is None else spelled(at),
    }
    call = {name: value for name, value in call.items() if value is not None}
    there = {name: value for name, value in content.items() if nulls or value is not None}
    return {**call, "properties": there}


def ids(count):
    text = "".join(f"{place:026}" for place in range(count)).encode()
    return np.frombuffer(text, dtype=np.uint8).reshape(count, ID_LENGTH)


@settings(deadline=None)
@given(found=rows, nulls=st.booleans())
@example(found=[(None,) * 7, (None,) * 7], nulls=False)
@example(found=[("a", datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), None, 1.0, 1, True, "")],
         nulls=False)  # fmt: skip
def test_calls_are_what_a_json_library_writes(found, nulls):
    """A value, a null, a comma or an escape would be wrong, and a batch refused or misread."""
    made = assemble(table(found), ids(len(found)), template(nulls=nulls)).to_pylist()
    assert len(made) == len(found)
    for place, (row, text) in enumerate(zip(found, made, strict=True)):
        assert text.endswith("},")
        assert json.loads(text[:-1]) == expected(row, place, nulls=nulls)
        assert next(iter(json.loads(text[:-1]))) == "messageId"


@pytest.mark.parametrize("missing", range(3))
def test_commas_stand_only_between_members_that_are_there(missing):
    """The first, a middle or the last member that is missing would leave a comma too many."""
    row = ["u", datetime(2026, 1, 1, tzinfo=UTC), "t", 1.5, 2, True, "m"]
    without = [*row]
    without[2 + missing] = None
    made = assemble(table([row, without]), ids(2), template(nulls=False, members=MEMBERS[:3]))
    contents = [json.loads(text[:-1])["properties"] for text in made.to_pylist()]
    names = [part.name for part in MEMBERS[:3]]
    assert [list(one) for one in contents] == [names, [n for n in names if n != names[missing]]]


@given(moment=st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
@example(moment=-1)
@example(moment=-62_135_596_800_000_000)
def test_times_are_cut_to_the_millisecond(moment):
    """A time before 1970, or just before midnight, would come a day or a second off."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)
    found = times(pa.array([moment, None], pa.int64()).cast(pa.timestamp("us", tz="UTC")))
    assert found.to_pylist() == [spelled(at), None]


def test_times_far_apart_and_out_of_range_are_spelled_too():
    """A table of all days between would not fit in memory; a year of five digits would crash."""
    micros = [-(2**62), -1, 0, 250_000_000_000_000_000, 2**62]
    found = times(pa.array(micros, pa.int64()).cast(pa.timestamp("us", tz="UTC"))).to_pylist()
    assert found[1:3] == ["1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00.000Z"]
    far = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros[3])
    assert found[3] == spelled(far)
    assert all(one.endswith("Z") for one in found)


def test_what_is_no_utf8_becomes_readable():
    """A table that another engine wrote would make a request that is no JSON."""
    raw = pa.array([b"\xff\xfe", b"\xc3", b"\xa9 x", b"\xed\xa0\x80", None], pa.large_binary())
    broken = pa.Array.from_buffers(pa.large_string(), len(raw), raw.buffers())
    for text in escaped(broken).to_pylist()[:-1]:
        assert "\ufffd" in text
    assert escaped(broken).to_pylist()[-1] is None


def test_numbers_that_json_has_not_stand_as_texts():
    """A dead letter's call would be no JSON, and nobody could read why it died."""
    found = [("u", None, None, one, None, None, None) for one in (float("nan"), float("-inf"), 1.0)]
    made = assemble(table(found), ids(3), template(nulls=False)).to_pylist()
    values = [json.loads(text[:-1])["properties"]["real"] for text in made]
    assert values == ["NaN", "-Infinity", 1]


def test_ids_have_the_alphabet_of_ulids():
    """An id with a quote in it would break the call that it stands in."""
    assert not set(CROCKFORD.tobytes()) & set(b'"\\')
