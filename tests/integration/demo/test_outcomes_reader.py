"""Outcomes, read while they are written."""

from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from pipeline.core.records import OUTCOMES
from pipeline.demo.ledger import Ledger, OutcomesReader


def append(table: Path, *rows: dict[str, object]) -> None:
    write_deltalake(
        str(table),
        pa.Table.from_pylist(list(rows), schema=OUTCOMES.arrow),
        mode="append",
        partition_by=["kind"],
    )


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
