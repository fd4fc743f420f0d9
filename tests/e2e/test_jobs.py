"""Both jobs, from source tables to the receiver, with everything that goes wrong in a day."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.core.fold import MESSAGE_KINDS
from pipeline.core.records import STREAM_PROGRESS
from pipeline.operations.reconcile import reconcile
from pipeline.sandbox.failure import Failure
from pipeline.source.feed_files import load_feeds
from pipeline.streams.run import FAILED, HELD, OK, run_deliver, run_drain
from pipeline.tables import holds, leases
from pipeline.tables.layout import layout

from .conftest import ORDERS, PEOPLE


def person(number, **changed):
    return {"person_id": f"p{number}", "email": f"p{number}@example.com", "age": "30"} | changed


def order(number, who):
    return {"order_id": f"o{number:03}", "person_id": who, "total": float(number)}


def books(spark, shop):
    feeds = load_feeds(Path(shop.settings.sources.feeds))
    found = reconcile(spark, shop.settings, feeds)
    assert all(one.closes for one in found), [one.missing for one in found]
    return {one.feed: one for one in found}


def books_of_a_day_are_all_where_all_is_of_today(spark, shop):
    feeds = load_feeds(Path(shop.settings.sources.feeds))
    day = timedelta(days=1)
    whole = reconcile(spark, shop.settings, feeds)
    assert reconcile(spark, shop.settings, feeds, datetime.now(UTC) - day) == whole
    for none in reconcile(spark, shop.settings, feeds, datetime.now(UTC) + day):
        assert (none.versions, none.messages, none.recounted) == (0, 0, 0)


def test_a_day_of_changes_arrives_whole_and_the_books_close(spark, shop, ledger):
    """Snapshot, inserts, updates, no-ops, deletes, a bad row, a big row, an outage, a restart."""
    shop.insert("people", PEOPLE, [person(n) for n in range(20)])
    shop.insert("orders", ORDERS, [order(n, f"p{n % 5}") for n in range(30)])
    assert run_deliver(spark, shop.settings, available_now=True) == OK
    people = {p["user_id"]: p for p in shop.sandbox.client.people(limit=100)}
    assert len(people) == 20
    events = shop.sandbox.client.events("p1", limit=100)
    assert [e["call"]["properties"]["order_id"] for e in events] == [
        f"o{n:03}" for n in range(1, 30, 5)
    ]

    shop.insert("people", PEOPLE, [person(20, age="old"), person(21, note="x" * 1_001)])
    table = shop.delta("people")
    table.update(predicate="person_id = 'p1'", updates={"age": "'31'", "email": "null"})
    table.update(predicate="person_id = 'p2'", updates={"age": "'30'"})
    table.delete("person_id = 'p3'")
    shop.insert("orders", ORDERS, [order(n, f"p{n % 5}") for n in range(30, 40)])
    shop.insert("orders", ORDERS, [order(40, "p0") | {"note": "x" * 32_000}])
    shop.sandbox.client.fail(Failure(kind="status", status=503, requests=4))
    assert run_deliver(spark, shop.settings, available_now=True) == OK
    states = Counter((row["feed"], row["kind"], row["reason"]) for row in ledger())
    assert states["people", "dead", "CAST_INVALID_INPUT"] == 1
    assert sum(n for key, n in states.items() if key[:2] == ("people", "dead")) == 2
    assert states["orders", "dead", "call_too_large"] == 1
    # The writer notes an update that changes nothing as a delete and an insert of the whole file.
    assert states["people", "skipped", "unchanged"] == 20
    shop.sandbox.client.clear()
    assert run_drain(spark, shop.settings, available_now=True) == OK
    import time

    time.sleep(1)
    assert run_drain(spark, shop.settings, available_now=True) == OK

    found = books(spark, shop)
    books_of_a_day_are_all_where_all_is_of_today(spark, shop)
    assert (found["orders"].accepted, found["orders"].dead) == (40, 1)
    assert (found["people"].changes, found["people"].dead, found["people"].skipped) == (44, 2, 20)
    for number in range(5):
        events = shop.sandbox.client.events(f"p{number}", limit=100)
        orders = [
            e["call"]["properties"]["order_id"] for e in events if e["event"] != "User Deleted"
        ]
        assert orders == [f"o{n:03}" for n in range(number, 40, 5)]
    arrived = shop.accepted()
    accepted = {row["message_id"] for row in ledger() if row["kind"] == "accepted"}
    assert set(arrived) == accepted
    assert shop.sandbox.client.person("p3")["deleted"]
    changed = shop.sandbox.client.person("p1")["attributes"]
    assert changed["age"] == 31
    assert "email" not in changed

    before = len(ledger())
    assert run_deliver(spark, shop.settings, available_now=True) == OK
    assert len(ledger()) == before
    assert shop.accepted() == arrived


def test_a_wrong_key_holds_and_nothing_is_lost(spark, shop, ledger):
    """Exit status 3 when the hold outlasts its setting; the right key later delivers all."""
    shop.insert("people", PEOPLE, [person(n) for n in range(5)])
    shop.insert("orders", ORDERS, [order(n, "p1") for n in range(5)])
    shop.sandbox.client.fail(Failure(kind="key_revoked"))
    assert run_deliver(spark, shop.settings, available_now=True) == HELD
    assert ledger() == []
    where = layout(shop.settings)
    held = {(one.noted.feed, one.noted.reason, one.entry) for one in holds.current(spark, where)}
    assert held == {("people", "http_401", "left"), ("orders", "http_401", "left")}
    shop.sandbox.client.clear()
    assert run_deliver(spark, shop.settings, available_now=True) == OK
    assert {row["kind"] for row in ledger()} == {"accepted"}
    assert holds.current(spark, where) == []
    assert books(spark, shop)["people"].accepted == 5


def test_a_lost_checkpoint_resumes_from_the_books(spark, shop, ledger):
    """Not from a new snapshot, and nothing is sent twice."""
    import shutil

    shop.insert("people", PEOPLE, [person(n) for n in range(5)])
    shop.insert("orders", ORDERS, [order(n, "p1") for n in range(5)])
    assert run_deliver(spark, shop.settings, available_now=True) == OK
    shutil.rmtree(shop.settings.tables.checkpoints)
    shop.insert("orders", ORDERS, [order(n, "p1") for n in range(5, 9)])
    assert run_deliver(spark, shop.settings, available_now=True) == OK
    assert set(shop.accepted().values()) == {1}
    assert books(spark, shop)["orders"].accepted == 9
    assert len(ledger()) == 14


@pytest.mark.parametrize("site", ["driver"])
def test_delivery_in_the_driver_gives_the_same_ledger(spark, shop, ledger, site):
    """For compute whose tasks have no network: the same code in the process of foreachBatch."""
    shop.insert("people", PEOPLE, [person(n) for n in range(5)])
    shop.insert("orders", ORDERS, [order(n, "p1") for n in range(5)])
    delivery = shop.settings.delivery.model_copy(update={"site": site})
    settings = shop.settings.model_copy(update={"delivery": delivery})
    assert run_deliver(spark, settings, available_now=True) == OK
    assert Counter(row["kind"] for row in ledger()) == {"accepted": 10}
    assert {row["message_id"] for row in ledger()} == set(shop.accepted())
    assert set(MESSAGE_KINDS) >= {row["kind"] for row in ledger()}


def test_a_second_drain_says_who_holds_the_lease_and_ends(spark, shop, capsys):
    """The first one lives and answers; nothing is taken from it."""
    where = layout(shop.settings)
    first = leases.acquire(spark, where, "drain", "the-first", answer_within=0)
    over = threading.Event()

    def live():
        while not over.wait(0.2):
            leases.check(spark, where, first)

    alive = threading.Thread(target=live)
    alive.start()
    try:
        assert run_drain(spark, shop.settings, available_now=True) == FAILED
    finally:
        over.set()
        alive.join()
    assert "held by the-first" in capsys.readouterr().out
    leases.check(spark, where, first)


def test_the_streams_report_what_they_do(spark, shop):
    """A stream that runs leaves its progress in the table, with what Spark said, by its end."""
    shop.insert("people", PEOPLE, [person(n) for n in range(5)])
    shop.insert("people", PEOPLE, [person(n) for n in range(5, 8)])
    shop.insert("orders", ORDERS, [order(1, "p1")])
    assert run_deliver(spark, shop.settings, available_now=True) == OK
    shop.insert("people", PEOPLE, [person(n) for n in range(8, 10)])
    assert run_deliver(spark, shop.settings, available_now=True) == OK
    rows = layout(shop.settings).place(STREAM_PROGRESS).read(spark).collect()
    people = [row for row in rows if row["query"] == "deliver_people" and row["input_rows"]]
    # Spark counts a row at each scan, and a micro-batch has several.
    assert len(people) == 2
    assert all(row["input_rows"] >= 2 for row in people)
    assert all(row["duration_ms"] > 0 for row in people)
    assert all('"batchId"' in row["progress"] for row in people)
