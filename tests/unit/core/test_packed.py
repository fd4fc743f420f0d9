"""Packed outcomes: what goes into one row comes out as a row each."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.packed import COLUMNS, joined, unpack
from pipeline.core.records import OUTCOMES

AT = datetime(2026, 11, 23, tzinfo=UTC)


def message(number: int, **changed: object) -> dict[str, object]:
    """A row of one accepted message."""
    return {
        "kind": "accepted",
        "message_id": f"{number:026}",
        "entity_hash": number.to_bytes(16, "big"),
        "feed": "f",
        "source_version": 7,
        "number": 1,
        "request_id": "r",
        "recorded_at": AT,
        **changed,
    }


def together(rows: list[dict[str, object]]) -> dict[str, object]:
    """One row for rows that differ in id and entity alone."""
    return {
        **rows[0],
        "message_id": None,
        "entity_hash": None,
        "packed": len(rows),
        "packed_ids": "".join(str(row["message_id"]) for row in rows).encode(),
        "packed_entities": b"".join(bytes(row["entity_hash"]) for row in rows),  # type: ignore[call-overload]
    }


def table(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=OUTCOMES.arrow)


def ordered(rows: pa.Table) -> list[dict[str, object]]:
    return sorted(rows.to_pylist(), key=lambda row: (row["message_id"] or "", row["kind"]))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.integers(0, 3)), max_size=12))
def test_a_row_each_comes_out_whatever_was_packed(runs: list[tuple[int, bool, int]]) -> None:
    """A message would vanish from the ledger, or get another one's request."""
    plain: list[dict[str, object]] = []
    stored: list[dict[str, object]] = []
    for index, (count, packs, version) in enumerate(runs):
        rows = [
            message(len(plain) + n, request_id=f"r{index}", source_version=version)
            for n in range(count)
        ]
        plain += rows
        stored += [together(rows)] if packs else rows
    found = unpack(table(*stored))
    wanted = table(*plain).drop_columns(list(COLUMNS))
    assert found.schema == wanted.schema
    assert ordered(found) == ordered(wanted)


@pytest.mark.parametrize("packs", [True, False])
def test_rows_that_are_all_packed_or_none_of_them_keep_their_order(packs: bool) -> None:  # noqa: FBT001
    """Sending order would be lost, or a file without plain rows could not be read."""
    rows = [message(n) for n in (3, 1, 2)]
    found = unpack(table(together(rows)) if packs else table(*rows))
    assert [row["message_id"] for row in found.to_pylist()] == [row["message_id"] for row in rows]
    assert [row["entity_hash"] for row in found.to_pylist()] == [row["entity_hash"] for row in rows]


def test_columns_that_were_not_read_are_not_missed() -> None:
    """The demo reads a few columns of each file, and other kinds of rows beside messages."""
    rows = table(together([message(1), message(2)]), {"kind": "task", "circuit": "closed"})
    few = unpack(rows.select(["kind", "message_id", "circuit", *COLUMNS]))
    assert ordered(few) == [
        {"kind": "task", "message_id": None, "circuit": "closed"},
        {"kind": "accepted", "message_id": f"{1:026}", "circuit": None},
        {"kind": "accepted", "message_id": f"{2:026}", "circuit": None},
    ]


def test_runs_are_joined_where_they_end() -> None:
    """An id would be cut in two, or stand in the wrong request's row."""
    rows = np.frombuffer(b"aabbccdd", dtype=np.uint8).reshape(-1, 2)
    assert joined(rows, np.array([0, 1, 1, 4])).to_pylist() == [b"aa", b"", b"bbccdd"]
