"""Tables of an older version, as it made them, and what they are after a migration."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.core.records import AUDIT_LOG, LEASES, TABLES
from pipeline.tables import leases, retry_queue
from pipeline.tables.due import find_due, runs_due
from pipeline.tables.layout import Layout, check_tables
from pipeline.tables.migrate import migrate
from pipeline.tables.refusal import TablesError
from pipeline.tables.take_in import take_in

FORMAT_1 = Path(__file__).parents[2] / "data" / "format_1.sql"
OLD = ("outcomes", "retry_queue", "books", "commands", "leases", "stream_progress", "alerts",
       "audit_log")  # fmt: skip


@pytest.fixture(scope="module")
def old(spark, tmp_path_factory):
    """An installation of format 1, with a message that waits and a lease that was given back."""
    where = Layout(root=str(tmp_path_factory.mktemp("format_1")))
    places = {name: f"delta.`{where.root}/{name}`" for name in OLD}
    text = FORMAT_1.read_text().split("\n", 1)[1]
    for statement in text.split(";\n"):
        if statement.strip():
            spark.sql(statement.format(**places))
    spark.sql(
        f"INSERT INTO {places['outcomes']} (kind, message_id, feed, source_version, entity_hash,"
        " number, attempts, position, payload, recorded_at) VALUES ('queued', 'm', 'f', 3,"
        " X'00112233445566778899AABBCCDDEEFF', 1, 0, 0, X'01', TIMESTAMP '2026-11-01 00:00:00')"
    )
    spark.sql(
        f"INSERT INTO {places['leases']} VALUES"
        " ('deliver/f', 'claim', 1, 'old', TIMESTAMP '2026-11-01 00:00:00')"
    )
    return where


def test_an_older_format_is_refused_migrated_and_goes_on(spark, old):
    """A job that wrote to older tables would fail after it had sent; a migrated one loses rows."""
    with pytest.raises(TablesError, match=r"its format is 1.*pipeline tables migrate"):
        check_tables(spark, old)
    with pytest.raises(TablesError, match=r"deliver/f by old.*--stopped"):
        migrate(spark, old)
    first = migrate(spark, old, stopped=True)
    assert {"properties", "add"} <= {step.what.split()[0] for step in first}
    assert any(step.table == AUDIT_LOG.name and "origin" in step.what for step in first)
    check_tables(spark, old)
    assert migrate(spark, old) == ()
    for table in TABLES:
        columns = set(old.place(table).read(spark).columns)
        assert {c.name for c in table.columns} <= columns, table.name

    at = retry_queue.positions(spark, old)
    assert take_in(spark, old, at, 0)
    found = find_due(spark, old, datetime.now(UTC))
    assert found is not None
    due = runs_due(spark, found, 10)
    assert due is not None
    assert [row["message_id"] for row in due.rows.collect()] == ["m"]
    assert leases.holders(spark, old) == {"deliver/f": "old"}


def test_what_no_step_mends_is_refused(spark, old):
    """A table of a later version, or of somebody else, must not be altered."""
    place = old.place(LEASES)
    spark.sql(f"ALTER TABLE {place.sql} SET TBLPROPERTIES ('pipeline.format' = '99')")
    with pytest.raises(TablesError, match="a later version of the pipeline made it"):
        migrate(spark, old)
    spark.sql(f"ALTER TABLE {place.sql} UNSET TBLPROPERTIES ('pipeline.format')")
    with pytest.raises(TablesError, match="none of the pipeline's"):
        migrate(spark, old)
