"""Outcomes, read while they are written."""

from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from pipeline.core.packed import COLUMNS
from pipeline.core.records import OUTCOMES
from pipeline.demo.ledger import Ledger, OutcomesReader


def append(table: Path, *rows: dict[str, object], without: tuple[str, ...] = ()) -> None:
    made = pa.Table.from_pylist(list(rows), schema=OUTCOMES.arrow).drop_columns(list(without))
    write_deltalake(str(table), made, mode="append", schema_mode="merge", partition_by=["kind"])


def test_each_commit_is_folded_in_once(tmp_path: Path) -> None:
    """Reading twice counts nothing twice, and a table that is not there yet is no error."""
    table, ledger = tmp_path / "outcomes", Ledger()
    reader = OutcomesReader(table)
    reader.read_into(ledger)
    assert not ledger.newest

    append(
        table,
        {"kind": "queued", "message_id": "a", "feed": "f", "number": 0, "stage": "destination"},
        {"kind": "accepted", "message_id": "b", "feed": "f", "number": 0},
        {"kind": "request", "request_id": "r", "status": 503, "number": None},
        {"kind": "task", "job": "deliver", "circuit": "open"},
    )
    reader.read_into(ledger)
    reader.read_into(ledger)
    assert ledger.counts == {("f", "queued"): 1, ("f", "accepted"): 1}
    assert ledger.requests == {"503": 1}
    assert ledger.circuits == {"deliver": "open"}

    append(table, {"kind": "accepted", "message_id": "a", "feed": "f", "number": 1})
    reader.read_into(ledger)
    assert ledger.ids("accepted") == {"a", "b"}
    assert ledger.count("queued") == 0


def test_packed_messages_are_counted_each_and_older_files_are_read(tmp_path: Path) -> None:
    """The show would wait for ever for messages that were accepted in one row."""
    table, ledger = tmp_path / "outcomes", Ledger()
    reader = OutcomesReader(table)
    one = {"kind": "accepted", "feed": "f", "number": 1}
    append(table, one | {"message_id": "a"}, without=COLUMNS)
    ids = [f"{n:026}" for n in range(3)]
    packed = {
        "packed": 3,
        "packed_ids": "".join(ids).encode(),
        "packed_entities": bytes(3 * 16),
    }
    append(table, one | packed, one | {"message_id": "b"})
    reader.read_into(ledger)
    assert ledger.ids("accepted") == {"a", "b", *ids}
    assert ledger.counts == {("f", "accepted"): 5}
