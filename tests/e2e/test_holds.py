"""Feeds that hold alone, for what became of their source, and go on by themselves."""

import shutil
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from pipeline.streams.run import HELD, OK, run_deliver
from pipeline.tables import holds
from pipeline.tables.layout import layout

from .conftest import ORDERS, PEOPLE, PEOPLE_FEED


def person(number, **changed):
    return {"person_id": f"p{number}", "email": f"p{number}@example.com", "age": "30"} | changed


def order(number):
    return {"order_id": f"o{number:03}", "person_id": "p1", "total": float(number)}


def held(spark, shop):
    return {
        one.noted.feed: (one.noted.reason, one.noted.detail)
        for one in holds.current(spark, layout(shop.settings))
    }


@pytest.fixture
def impatient(shop):
    """Settings under which a hold ends the job soon."""
    waits = shop.settings.delivery.holds.model_copy(update={"outlast": shop.settings.lease.poll})
    delivery = shop.settings.delivery.model_copy(update={"holds": waits})
    return shop.settings.model_copy(update={"delivery": delivery})


def test_a_source_that_changes_holds_its_feed_alone(spark, shop, impatient):
    """An added column would stop a feed; a dropped one, or a new table, would stop all others."""
    shop.insert("people", PEOPLE, [person(n) for n in range(3)])
    shop.insert("orders", ORDERS, [order(n) for n in range(3)])
    assert run_deliver(spark, shop.settings, available_now=True) == OK

    wider = pa.schema([*PEOPLE, ("city", pa.string())])
    row = pa.Table.from_pylist([{**person(3), "city": "Bern"}], schema=wider)
    write_deltalake(shop.table("people"), row, mode="append", schema_mode="merge")
    narrow = pa.schema([field for field in ORDERS if field.name != "total"])
    row = pa.Table.from_pylist([{"order_id": "o9", "person_id": "p1"}], schema=narrow)
    write_deltalake(shop.table("orders"), row, mode="overwrite", schema_mode="overwrite")
    assert run_deliver(spark, impatient, available_now=True) == HELD
    assert {p["user_id"] for p in shop.sandbox.client.people()} == {f"p{n}" for n in range(4)}
    found = held(spark, shop)
    assert set(found) == {"orders"}
    assert found["orders"][0] == "schema"
    assert "total" in found["orders"][1]

    shutil.rmtree(shop.table("orders"))
    shop.insert("orders", ORDERS, [order(7)])
    shop.insert("people", wider, [person(4) | {"city": "Bern"}])
    assert run_deliver(spark, impatient, available_now=True) == HELD
    assert held(spark, shop)["orders"][0] == "source_recreated"
    assert "p4" in {p["user_id"] for p in shop.sandbox.client.people()}


@pytest.mark.long
def test_a_corrected_feed_lifts_the_delete_guard_without_a_restart(spark, shop):
    """Who narrowed the guard on purpose would have to stop the job, too, or release by hand."""
    file = Path(shop.settings.sources.feeds) / "people.yml"
    file.write_text(PEOPLE_FEED + "delete_guard: {count: 2, share: 0.1}\n")
    shop.insert("people", PEOPLE, [person(n) for n in range(8)])
    shop.insert("orders", ORDERS, [order(1)])
    assert run_deliver(spark, shop.settings, available_now=True) == OK
    shop.delta("people").delete("person_id < 'p5'")
    seen = {}

    def correct():
        deadline = time.monotonic() + 60
        while not seen and time.monotonic() < deadline:
            time.sleep(0.5)
            seen.update(held(spark, shop))
        file.write_text(PEOPLE_FEED)

    somebody = threading.Thread(target=correct)
    somebody.start()
    waits = shop.settings.delivery.holds.model_copy(
        update={"outlast": shop.settings.lease.poll * 60}
    )
    delivery = shop.settings.delivery.model_copy(update={"holds": waits})
    settings = shop.settings.model_copy(update={"delivery": delivery})
    assert run_deliver(spark, settings, available_now=True) == OK
    somebody.join()
    assert seen["people"][0] == "delete_guard"
    assert held(spark, shop) == {}
    assert {p["user_id"] for p in shop.sandbox.client.people()} == {"p5", "p6", "p7"}
