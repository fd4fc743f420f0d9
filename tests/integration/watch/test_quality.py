"""Completeness and worth of what was booked, from a real change feed."""

from datetime import UTC, datetime

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from pipeline.core.records import BOOKS
from pipeline.settings import Settings
from pipeline.tables.layout import layout
from pipeline.tables.rows import append_rows
from pipeline.tables.views import make_session_views
from pipeline.watch import quality

FEED = """
source: sales
start: latest
row_key: [id]
entity: {person: person}
insert: {type: track, event: Order Completed, properties: {total: price, note: note}}
"""


def test_figures_are_of_the_booked_versions_and_each_is_looked_at_once(spark, tmp_path, lay_tables):
    """A version that is counted twice, or one that was never booked, makes the figures disagree."""
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "sales.yml").write_text(FEED)
    settings = Settings(
        target="test",
        sources={"root": str(tmp_path), "feeds": str(tmp_path / "feeds")},
        tables={"root": str(tmp_path / "tables"), "checkpoints": str(tmp_path / "checkpoints")},
    )
    where, source = layout(settings), str(tmp_path / "sales")
    lay_tables(where)

    def write(prices, notes):
        rows = {"id": prices, "person": ["p"] * 4, "price": prices, "note": notes}
        write_deltalake(
            source,
            pa.table(rows),
            mode="append",
            configuration={"delta.enableChangeDataFeed": "true"},
        )

    def book(*versions):
        now = datetime.now(UTC)
        rows = [
            {"feed": "sales", "source_version": v, "origin": "commit", "changes": 4, "deletes": 0,
             "messages": 4, "committed_at": now, "booked_at": now}
            for v in versions
        ]  # fmt: skip
        append_rows(spark, where, BOOKS, rows)

    write([1.5, 2.0, None, 3.0], ["a", None, None, None])
    write([10.0, 20.0, 30.0, 40.0], ["a"] * 4)
    DeltaTable(source).update(predicate="price = 10.0", updates={"note": "null"})
    write([9.0] * 4, [None] * 4)
    book(0, 1, 2)
    assert quality.look(spark, settings) == 1
    assert quality.look(spark, settings) == 0
    make_session_views(spark, where, with_metrics=True)
    found = spark.sql("SELECT field, rows, filled, share FROM metric_completeness").collect()
    assert {row["field"]: (row["rows"], row["filled"]) for row in found} == {
        "price": (9.0, 8.0),
        "note": (9.0, 5.0),
    }
    (orders,) = spark.sql("SELECT orders, worth FROM metric_orders").collect()
    assert (orders["orders"], orders["worth"]) == (7.0, 106.5)
    book(3)
    assert quality.look(spark, settings) == 1
    worth = spark.sql("SELECT sum(worth) AS worth, sum(orders) AS orders FROM metric_orders")
    assert worth.collect()[0].asDict() == {"worth": 142.5, "orders": 11.0}
