"""Feeds that hold for a deep queue, and a source that keeps its changes no longer than a hold."""

from collections import Counter
from datetime import timedelta

import pyarrow as pa
from deltalake import write_deltalake

from pipeline.core.records import ALERTS, RETRY_QUEUE
from pipeline.sandbox.failure import Failure
from pipeline.streams.run import HELD, OK, run_deliver, run_drain
from pipeline.tables import holds
from pipeline.tables.layout import layout

from .conftest import ORDERS, PEOPLE


def orders(first, count):
    return [
        {"order_id": f"o{n:03}", "person_id": f"p{n}", "total": 1.0}
        for n in range(first, first + count)
    ]


def test_a_deep_queue_holds_until_drain_has_brought_it_down(spark, shop, ledger):
    """A feed would pile more and more onto a queue that drain cannot empty."""
    waits = shop.settings.delivery.holds.model_copy(
        update={"queue_entities": 3, "outlast": timedelta(seconds=1)}
    )
    delivery = shop.settings.delivery.model_copy(update={"holds": waits})
    settings = shop.settings.model_copy(update={"delivery": delivery})
    shop.insert("orders", ORDERS, orders(0, 6))
    shop.sandbox.client.fail(Failure(kind="status", status=503))

    def deliver():
        return run_deliver(spark, settings, feeds=["orders"], available_now=True)

    shop.insert("people", PEOPLE, [])
    assert deliver() == OK
    shop.sandbox.client.clear()
    shop.insert("orders", ORDERS, orders(6, 4))
    assert deliver() == HELD
    held = [one.noted.reason for one in holds.current(spark, layout(settings))]
    assert held == ["queue_depth"]
    assert Counter(row["kind"] for row in ledger()) == {"queued": 6}
    assert run_drain(spark, settings, available_now=True) == OK
    assert deliver() == OK
    assert Counter(row["kind"] for row in ledger()) == {"accepted": 10}
    assert holds.current(spark, layout(settings)) == []


def test_a_source_that_forgets_soon_overflows_into_the_queue(spark, shop, ledger):
    """The source would drop what was not read while a wrong key holds the feed."""
    write_deltalake(
        shop.table("orders"),
        pa.Table.from_pylist(orders(0, 6), schema=ORDERS),
        configuration={
            "delta.enableChangeDataFeed": "true",
            "delta.deletedFileRetentionDuration": "interval 2 seconds",
        },
    )
    shop.insert("people", PEOPLE, [])
    shop.sandbox.client.fail(Failure(kind="key_revoked"))
    assert run_deliver(spark, shop.settings, feeds=["orders"], available_now=True) == OK
    assert Counter((r["kind"], r["reason"]) for r in ledger()) == {("queued", "overflow"): 6}
    rows = layout(shop.settings).place(ALERTS).read(spark).collect()
    assert "source.overflow" in {row["alert"] for row in rows}
    shop.sandbox.client.clear()
    assert run_drain(spark, shop.settings, available_now=True) == OK
    assert Counter(row["kind"] for row in ledger()) == {"accepted": 6}
    assert set(shop.accepted().values()) == {1}


def test_a_tick_sends_a_long_queue_in_slices(spark, shop, ledger):
    """Each slice of its own would look through all that waits, and rewrite it afterwards."""
    delivery = shop.settings.delivery.model_copy(update={"slice_bytes": 400})
    triggers = shop.settings.triggers.model_copy(update={"drain_rows": 4})
    settings = shop.settings.model_copy(update={"triggers": triggers})
    small = shop.settings.model_copy(update={"delivery": delivery})
    rows = [{**one, "person_id": f"p{n % 6}"} for n, one in enumerate(orders(0, 18))]
    shop.insert("people", PEOPLE, [])
    shop.insert("orders", ORDERS, rows)
    shop.sandbox.client.fail(Failure(kind="status", status=503))
    assert run_deliver(spark, small, feeds=["orders"], available_now=True) == OK
    shop.sandbox.client.clear()
    assert {row["kind"] for row in ledger()} == {"queued"}
    assert len({row["slice"] for row in ledger()}) > 1
    assert run_drain(spark, settings, available_now=True) == OK
    sent = [row for row in ledger() if row["kind"] == "accepted"]
    assert len(sent) == len(rows)
    assert set(shop.accepted().values()) == {1}
    of_slice = Counter(row["slice"] for row in sent)
    assert len(of_slice) > 1
    slices_of = {(row["entity_hash"], row["slice"]) for row in sent}
    assert len(slices_of) == len({row["entity_hash"] for row in sent})  # nobody is cut in two
    queue = layout(settings).place(RETRY_QUEUE)
    assert queue.read(spark).where("kind = 'message'").count() == 0
    # One commit to put them, one that takes all of them out again.
    commits = [row["operation"] for row in spark.sql(f"DESCRIBE HISTORY {queue.sql}").collect()]
    assert commits == ["MERGE", "WRITE", "CREATE TABLE"]
