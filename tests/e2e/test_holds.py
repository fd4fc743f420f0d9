"""Feeds that hold alone, for what became of their source, and go on by themselves."""

import re
import shutil
import threading
import time
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from pipeline.streams.run import HELD, OK, run_deliver
from pipeline.tables import commands, holds
from pipeline.tables.layout import layout

from .conftest import ORDERS, ORDERS_FEED, PEOPLE, PEOPLE_FEED


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
    return holding(shop.settings, shop.settings.lease.poll)


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


@pytest.fixture
def patient(shop):
    """Settings under which a hold lasts for as long as a busy machine needs to lift it."""
    return holding(shop.settings, timedelta(minutes=5))


def holding(settings, outlast):
    waits = settings.delivery.holds.model_copy(update={"outlast": outlast})
    delivery = settings.delivery.model_copy(update={"holds": waits})
    return settings.model_copy(update={"delivery": delivery})


def guarded(shop):
    """The feed of people, with a guard against few deletes; the corrected one has none."""
    file = Path(shop.settings.sources.feeds) / "people.yml"
    file.write_text(PEOPLE_FEED + "delete_guard: {count: 2, share: 0.1}\n")
    return lambda: file.write_text(PEOPLE_FEED)


def once_held(spark, shop, act):
    """A thread that acts as soon as something holds; and what held."""
    seen = {}

    def wait():
        deadline = time.monotonic() + 240
        while not seen and time.monotonic() < deadline:
            time.sleep(0.2)
            seen.update(held(spark, shop))
        act()

    somebody = threading.Thread(target=wait)
    somebody.start()
    return somebody, seen


def test_a_corrected_feed_lifts_the_delete_guard_without_a_restart(spark, shop, patient):
    """Who narrowed the guard on purpose would have to stop the job, too, or release by hand."""
    correct = guarded(shop)
    shop.insert("people", PEOPLE, [person(n) for n in range(8)])
    shop.insert("orders", ORDERS, [order(1)])
    assert run_deliver(spark, shop.settings, available_now=True) == OK
    shop.delta("people").delete("person_id < 'p5'")
    somebody, seen = once_held(spark, shop, correct)
    assert run_deliver(spark, patient, available_now=True) == OK
    somebody.join()
    assert seen["people"][0] == "delete_guard"
    assert held(spark, shop) == {}
    assert {p["user_id"] for p in shop.sandbox.client.people()} == {"p5", "p6", "p7"}


def test_a_retyped_column_holds_its_feed_until_somebody_says_so(spark, shop, impatient):
    """A text that became a number would silently be sent as one."""
    shop.insert("people", PEOPLE, [])
    shop.insert("orders", ORDERS, [order(1) | {"note": "1"}])

    def deliver():
        return run_deliver(spark, impatient, feeds=["orders"], available_now=True)

    def retype(number, note, kind):
        schema = pa.schema([f.with_type(kind) if f.name == "note" else f for f in ORDERS])
        row = pa.Table.from_pylist([order(number) | {"note": note}], schema=schema)
        write_deltalake(shop.table("orders"), row, mode="overwrite", schema_mode="overwrite")

    assert deliver() == OK
    shop.delta("orders").delete()
    assert deliver() == OK
    retype(2, 2, pa.int64())
    assert deliver() == HELD
    reason, detail = held(spark, shop)["orders"]
    assert reason == "schema"
    assert "column note was string and is bigint" in detail
    upto = int(re.search(r"--feed orders --version (\d+)", detail)[1])
    where = layout(shop.settings)
    commands.wish(
        spark, where, "c", "release", requested_by="me", feed="orders", source_version=upto
    )
    assert deliver() == OK
    events = shop.sandbox.client.events("p1")
    assert [e["call"]["properties"]["note"] for e in events] == ["1", 2]
    retype(3, "3", pa.string())
    assert deliver() == HELD
    assert "can't read the changes of version 3" in held(spark, shop)["orders"][1]


def test_an_unused_column_may_be_dropped_and_unread_changes_of_before_hold(spark, shop, impatient):
    """A feed would fail for ever after an overwrite with other columns, or skip what it missed."""
    shop.insert("people", PEOPLE, [])
    wide = pa.schema([*ORDERS, ("shop", pa.string())])
    shop.insert("orders", wide, [order(1) | {"shop": "Bern"}])

    def deliver():
        return run_deliver(spark, impatient, feeds=["orders"], available_now=True)

    def rewrite(number, schema):
        rows = pa.Table.from_pylist([order(number)], schema=schema)
        write_deltalake(shop.table("orders"), rows, mode="overwrite", schema_mode="overwrite")

    assert deliver() == OK
    rewrite(2, ORDERS)
    assert deliver() == OK
    assert len(shop.sandbox.client.events("p1")) == 2
    shop.insert("orders", ORDERS, [order(3)])
    rewrite(4, pa.schema([field for field in ORDERS if field.name != "note"]))
    (Path(shop.settings.sources.feeds) / "orders.yml").write_text(
        ORDERS_FEED.replace(", note: note", "")
    )
    assert deliver() == HELD
    reason, detail = held(spark, shop)["orders"]
    assert reason == "schema"
    assert "can't read the changes of version 2" in detail
    assert len(shop.sandbox.client.events("p1")) == 2


def test_overwrites_are_updates_and_an_emptied_source_waits_for_somebody(spark, shop):
    """A nightly INSERT OVERWRITE, or a mistake, would delete everybody from Customer.io."""
    guarded(shop)
    people = [person(n) for n in range(8)]
    shop.insert("people", PEOPLE, people)

    def overwrite(rows):
        rows = pa.Table.from_pylist(rows, schema=PEOPLE)
        write_deltalake(shop.table("people"), rows, mode="overwrite")

    def deliver():
        settings = holding(shop.settings, timedelta(seconds=1))
        status = run_deliver(spark, settings, feeds=["people"], available_now=True)
        return status, len(shop.accepted())

    def ages():
        return [(p["deleted"], p["attributes"].get("age")) for p in shop.sandbox.client.people()]

    assert deliver() == (OK, 8)
    overwrite(people)
    assert deliver() == (OK, 8)
    overwrite([one | {"age": "31"} for one in people])
    assert deliver() == (OK, 16)
    assert ages() == [(False, 31)] * 8

    overwrite([])
    wrong = shop.delta("people").version()
    overwrite([one | {"age": "32"} for one in people])
    assert deliver() == (HELD, 16)
    reason, detail = held(spark, shop)["people"]
    assert reason == "delete_guard"
    assert ages() == [(False, 31)] * 8

    upto = int(re.search(r"--feed people --version (\d+)", detail)[1])
    assert upto >= wrong
    where = layout(shop.settings)
    commands.wish(
        spark, where, "release-1", "release", requested_by="me", feed="people", source_version=upto
    )
    assert deliver() == (OK, 32)
    assert ages() == [(False, 32)] * 8
    assert held(spark, shop) == {}
