"""Upkeep on real tables: what is needed stays, and what was erased is gone from the files."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.core.records import AUDIT_LOG, BOOKS, OUTCOMES
from pipeline.operations.files import unread
from pipeline.operations.maintain import maintain
from pipeline.operations.retention import closed_upto, remove_old, spend_payloads
from pipeline.settings import Retention, Settings
from pipeline.tables import books, retry_queue
from pipeline.tables.layout import layout
from pipeline.tables.rows import append_rows
from pipeline.tables.take_in import take_in

NOW = datetime(2026, 11, 23, tzinfo=UTC)
OLD = NOW - timedelta(days=500)
ANN, BEN = b"a" * 16, b"b" * 16


@pytest.fixture
def settings(tmp_path, lay_tables):
    made = Settings(
        target="test",
        tables={"root": str(tmp_path / "tables"), "checkpoints": str(tmp_path / "checkpoints")},
        maintenance={"vacuum_after": timedelta()},
    )
    lay_tables(layout(made))
    return made


def outcome(message, kind, number, *, version=1, at=OLD, entity=ANN, payload=None):
    return {
        "kind": kind,
        "message_id": message,
        "feed": "f",
        "source_version": version,
        "number": number,
        "attempts": 0,
        "position": 0,
        "entity_hash": entity,
        "payload": payload,
        "payload_key_id": payload and "k",
        "recorded_at": at,
    }


def booked(version, messages, origin=books.COMMIT):
    return {
        "feed": "f",
        "table_id": "t",
        "source_version": version,
        "origin": origin,
        "changes": messages,
        "deletes": 0,
        "messages": messages,
        "booked_at": OLD + timedelta(seconds=version),
    }


def stored_payloads(folder: Path) -> set[bytes]:
    """Every payload in every file that is there, in use or not, change data included."""
    found = set()
    for file in folder.rglob("*.parquet"):
        if "_delta_log" not in file.parts:
            table = pq.ParquetFile(file).read()
            if "payload" in table.column_names:
                found |= set(table["payload"].to_pylist())
    return found - {None}


def test_what_was_scrubbed_is_gone_from_the_files(spark, settings):
    """An erased payload would live on in an old file, a deletion vector's file or change data."""
    where = layout(settings)
    place = where.place(OUTCOMES)
    spark.sql(f"ALTER TABLE {place.sql} SET TBLPROPERTIES ('delta.enableDeletionVectors' = true)")
    rows = [
        outcome("m1", "queued", 1, payload=b"ann was here", at=NOW),
        outcome("m1", "cancelled", 2, at=NOW),
        outcome("m2", "queued", 1, payload=b"ben waits", entity=BEN, at=NOW),
        outcome("m3", "queued", 1, payload=b"ann went", at=NOW),
        outcome("m3", "accepted", 2, at=NOW),
    ]
    append_rows(spark, where, OUTCOMES, rows)
    place.update(spark, "message_id = 'm1'", {"payload": "NULL"})
    files = stored_payloads(Path(str(place.path)))
    assert files == {b"ann was here", b"ben waits", b"ann went"}
    assert "drain has read" in str(unread(spark, where, OUTCOMES, datetime.now(UTC)))
    take_in(spark, where, retry_queue.positions(spark, where), 0)
    assert maintain(spark, settings, wait=0).whole
    assert stored_payloads(Path(str(place.path))) == {b"ben waits"}
    assert stored_payloads(Path(str(settings.tables.root)) / "retry_queue") == {b"ben waits"}
    assert where.place(AUDIT_LOG).read(spark).count() == 1


def test_what_is_still_needed_stays_however_old(spark, settings):
    """A waiting message, an open version or a dead letter would be lost with its retention."""
    where = layout(settings)
    append_rows(
        spark,
        where,
        OUTCOMES,
        [
            outcome("a", "accepted", 1, version=1),
            outcome("b", "queued", 1, version=2, payload=b"x"),
            outcome("b", "accepted", 2, version=2),
            outcome("c", "dead", 1, version=3, payload=b"y"),
            outcome("d", "queued", 1, version=4, payload=b"z"),
            outcome("e", "accepted", 1, version=5),
            {**outcome("r", "request", 1), "message_id": None},
            {**outcome("s", "request", 1, at=NOW), "message_id": None},
        ],
    )
    versions = [booked(0, 0, books.START), *(booked(v, 1) for v in range(1, 6))]
    append_rows(spark, where, BOOKS, versions)
    keep = Retention()
    before = NOW - timedelta(days=400)
    assert closed_upto(spark, where, before, None) == {"f": 2}
    assert closed_upto(spark, where, before, before) == {"f": 3}
    assert spend_payloads(spark, where).rows == 1
    removed = {(r.table, r.what): r.rows for r in remove_old(spark, where, keep, NOW)}
    assert removed["outcomes", "requests"] == 1
    assert removed["books", "versions"] == 3
    assert removed["outcomes", "outcomes"] == 3
    left = where.place(OUTCOMES).read(spark)
    assert {row["message_id"] for row in left.collect()} == {"c", "d", "e", None}
    entries = books.read_books(spark, where, "f")
    assert {(v, origin) for v, origin in entries} == {
        (2, books.START), (3, books.COMMIT), (4, books.COMMIT), (5, books.COMMIT),
    }  # fmt: skip
    assert books.resume_after(spark, where, "f") == 5
    again = {(r.table, r.what): r.rows for r in remove_old(spark, where, keep, NOW)}
    assert set(again.values()) == {0}
