"""Assemble calls as JSON from columns: no loop over messages, and nothing that Spark need build.

Spark hands over the values; here a few Arrow kernels join them with the names between them. That
takes a sixth of the processor time of Spark's `to_json` (`benchmarks/steps.py`), and gives the same
JSON, but for how a number is spelled: a property-based test holds the two together.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.packed import fixed
from pipeline.core.sealed import whole

ESCAPED: Final = r'[\x00-\x1f"\\]'
"""Characters that JSON does not have as they stand (RFC 8259, 7)."""

TEXT: Final = pa.large_string()
"""A task's texts may have more than two gigabytes."""

Piece: TypeAlias = str | pa.Array


class PartKind(StrEnum):
    """What a column's values are, and so how they are spelled."""

    TEXT = "text"
    WHOLE = "whole"
    """Integers and booleans."""
    REAL = "real"
    TIME = "time"
    JSON = "json"
    """`{"v":<value>}`, as Spark has built it: for whatever is none of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A member of a JSON object: a column's values, or the same text in all calls."""

    name: str
    kind: PartKind = PartKind.TEXT
    column: str | None = None
    constant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A feed's one call: its top-level members, then its content's, in their order."""

    fields: tuple[Part, ...]
    """After the id. Those that are null are left out."""
    content: str
    """`traits` or `properties`."""
    members: tuple[Part, ...]
    nulls: bool
    """Whether a member that is null is sent as null, or left out."""


def assemble(values: pa.Table, ids: npt.NDArray[np.uint8], template: Template) -> pa.Array:
    """The calls of *values*, a comma at the end of each; *ids* are (n, 26) ASCII."""
    fields: list[Piece] = []
    for part in template.fields:
        if part.constant is not None:
            fields.append(f",{_key(part)}{json.dumps(part.constant, ensure_ascii=False)}")
        else:
            fields += _optional(part, _column(values, part), ",")
    pieces: list[Piece] = ['{"messageId":"', fixed(ids).cast(pa.string()), '"', *fields]
    columns = [_column(values, part) for part in template.members]
    members = _members(template, columns)
    pieces += [f",{json.dumps(template.content)}:{{", *members, "}},"]
    return _join(pieces)


def _members(template: Template, columns: list[pa.Array]) -> list[Piece]:
    """Members of the content with commas between those that are there."""
    parts = template.members
    if template.nulls:
        pieces: list[Piece] = []
        for place, (part, column) in enumerate(zip(parts, columns, strict=True)):
            pieces.append(("," if place else "") + _key(part))
            pieces += (
                _spelled(part, column)
                if not column.null_count
                else [_join(_spelled(part, column)).fill_null("null")]
            )
        return pieces
    there = [place for place, column in enumerate(columns) if not column.null_count]
    if not there:
        optional = [
            one for p, c in zip(parts, columns, strict=True) for one in _optional(p, c, ",")
        ]
        return [pc.ascii_ltrim(_join(optional), ",")]
    # Around a member that is always there, each comma belongs to a member that may be missing.
    first, pieces = there[0], []
    for place, (part, column) in enumerate(zip(parts, columns, strict=True)):
        if place < first:
            pieces += _optional(part, column, after=",")
        else:
            pieces += _optional(part, column, "," if place > first else "")
    return pieces


def _optional(part: Part, column: pa.Array, before: str = "", after: str = "") -> list[Piece]:
    """A member, or nothing where its value is null."""
    pieces: list[Piece] = [before + _key(part), *_spelled(part, column), after]
    return [_join(pieces).fill_null("")] if column.null_count else pieces


def _key(part: Part) -> str:
    return json.dumps(part.name, ensure_ascii=False) + ":"


def _column(values: pa.Table, part: Part) -> pa.Array:
    column = values[str(part.column)]
    return whole(column.cast(TEXT) if pa.types.is_string(column.type) else column)


def _spelled(part: Part, column: pa.Array) -> list[Piece]:
    """A value as JSON; null where it is null."""
    match part.kind:
        case PartKind.TEXT:
            return ['"', escaped(column), '"']
        case PartKind.WHOLE:
            return [column.cast(TEXT)]
        case PartKind.REAL:
            return [_reals(column)]
        case PartKind.TIME:
            return ['"', times(column), '"']
        case PartKind.JSON:
            return [pc.utf8_slice_codeunits(column, len('{"v":'), -1)]
        case _:
            assert_never(part.kind)


def _join(pieces: list[Piece]) -> pa.LargeStringArray:
    """The pieces side by side; null where one of them is null."""
    merged: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    texts = (pa.scalar(p, TEXT) if isinstance(p, str) else p.cast(TEXT) for p in merged)
    return pc.binary_join_element_wise(*texts, pa.scalar("", TEXT))


def escaped(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """The texts as JSON has them between quotes. What is no UTF-8 becomes U+FFFD."""
    texts = _readable(texts)
    raw = texts.buffers()[2]
    if raw is None:
        return texts
    characters = np.frombuffer(raw, dtype=np.uint8)
    if not np.any((characters < ord(" ")) | (characters == ord('"')) | (characters == ord("\\"))):
        return texts
    found = pc.match_substring_regex(texts, ESCAPED).fill_null(False)
    some: list[str] = texts.filter(found).to_pylist()
    spelled = pa.array([json.dumps(one, ensure_ascii=False)[1:-1] for one in some], TEXT)
    return pc.replace_with_mask(texts, found, spelled)


def _readable(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """Texts of UTF-8 alone: a table may hold others."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        raw = texts.cast(pa.large_binary()).to_pylist()
        made = [None if one is None else one.decode("utf-8", "replace") for one in raw]
        return pa.array(made, TEXT)
    return texts


def _reals(numbers: pa.Array) -> pa.LargeStringArray:
    """Numbers; NaN and the infinite as texts, as Spark spells them (such a call is never sent)."""
    odd = pc.invert(pc.is_finite(numbers)).fill_null(False)
    spelled = numbers.cast(TEXT)
    if not pc.any(odd).as_py():
        return spelled
    words = [
        "NaN" if one != one else f"{'-' if one < 0 else ''}Infinity"  # noqa: PLR0124  NaN alone
        for one in numbers.filter(odd).to_pylist()
    ]
    return pc.replace_with_mask(spelled, odd, pa.array([f'"{word}"' for word in words], TEXT))


_DAY, _SECOND = 86_400_000_000, 1_000_000
"""Microseconds."""
_FIRST, _END = -719_162 * _DAY, 2_932_897 * _DAY
"""0001-01-01 and 10000-01-01: what is outside has no year of four digits, and is never sent."""
_DAYS: Final = 100_000
"""A span of so many days gets a table; a wider one has few of them."""


def times(moments: pa.TimestampArray) -> pa.StringArray:
    """UTC to the millisecond, `2026-01-31T23:59:59.999Z`; milliseconds are cut, not rounded."""
    micros = moments.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    odd = (micros < _FIRST) | (micros >= _END)
    days, rest = np.divmod(np.where(odd, 0, micros), _DAY)
    seconds, within = np.divmod(rest, _SECOND)
    out = np.empty((len(micros), 24), dtype=np.uint8)
    out[:, :10] = _dates(days)
    out[:, 10] = ord("T")
    out[:, 11:19] = _clock()[seconds]
    out[:, 19:] = _thousandths()[within // 1000]
    spelled = fixed(out).cast(pa.string())
    if np.any(odd):
        words = [f"{one}Z" for one in micros[odd].astype("datetime64[us]").astype("datetime64[ms]")]
        spelled = pc.replace_with_mask(spelled, pa.array(odd), pa.array(words))
    if not moments.null_count:
        return spelled
    return pc.if_else(pc.is_valid(moments), spelled, pa.scalar(None, pa.string()))


def _dates(days: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """`2026-01-31`, of days since 1970."""
    if len(days) == 0:
        return np.zeros((0, 10), dtype=np.uint8)
    first, last = int(days.min()), int(days.max())
    if last - first < _DAYS:
        return _spelled_days(np.arange(first, last + 1))[days - first]
    few, places = np.unique(days, return_inverse=True)
    return _spelled_days(few)[places]


def _spelled_days(days: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    return _bytes([str(one) for one in days.astype("datetime64[D]")])


@cache
def _clock() -> npt.NDArray[np.uint8]:
    """`23:59:59` of each second of a day."""
    return _bytes(
        [f"{h:02}:{m:02}:{s:02}" for h in range(24) for m in range(60) for s in range(60)]
    )


@cache
def _thousandths() -> npt.NDArray[np.uint8]:
    return _bytes([f".{one:03}Z" for one in range(1000)])


def _bytes(texts: list[str]) -> npt.NDArray[np.uint8]:
    return np.frombuffer("".join(texts).encode(), dtype=np.uint8).reshape(len(texts), -1)
