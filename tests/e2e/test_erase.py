"""A person is erased while messages of theirs wait, died or come again; nothing comes back."""

import json
import time

from pipeline.core.audit import verify
from pipeline.core.erasure import parse_entity
from pipeline.core.records import COMMANDS, OUTCOMES, RETRY_QUEUE
from pipeline.operations import erase
from pipeline.operations.export import export
from pipeline.sandbox.failure import Failure
from pipeline.streams.run import OK, run_deliver, run_drain
from pipeline.tables import commands
from pipeline.tables.audit import entries, heads
from pipeline.tables.layout import layout

from .conftest import ORDERS, PEOPLE


def person(number, **changed):
    return {"person_id": f"p{number}", "email": f"p{number}@example.com", "age": "30"} | changed


def order(number, who):
    return {"order_id": f"o{number:03}", "person_id": who, "total": float(number)}


def payloads(spark, where, hash_):
    """Rows with a payload of this entity, by table."""
    from pyspark.sql import functions as F

    return {
        table.name: where.place(table)
        .read(spark)
        .where(F.col("entity_hash") == F.lit(bytearray(hash_)))
        .where(F.col("payload").isNotNull())
        .count()
        for table in (OUTCOMES, RETRY_QUEUE, COMMANDS)
    }


def drain(spark, settings, until, seconds=60):
    """Run drain again and again until something holds."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "drain did not get there"
        assert run_drain(spark, settings, available_now=True) == OK
        time.sleep(0.5)


def test_a_person_is_erased_everywhere_and_stays_so(spark, shop, ledger, monkeypatch):
    """A queued or dead message, a replay or a later change would bring the person back."""
    from pipeline.streams.runtime import Runtime

    monkeypatch.setattr(Runtime, "longest_slice", lambda _: 1.5)
    quick = shop.settings
    where, whom = layout(quick), parse_entity("p1")
    shop.insert("people", PEOPLE, [person(n) for n in range(3)])
    shop.insert("orders", ORDERS, [order(1, "p1"), order(2, "p2")])
    assert run_deliver(spark, quick, available_now=True) == OK
    shop.insert("people", PEOPLE, [person(1, note="x" * 1_001)])
    shop.sandbox.client.fail(Failure(kind="status", status=503))
    shop.insert("orders", ORDERS, [order(3, "p1"), order(4, "p2")])
    assert run_deliver(spark, quick, available_now=True, feeds=["people"]) == OK
    before = {row["message_id"]: row for row in ledger() if row["kind"] == "dead"}
    assert len(before) == 1
    try:
        run_deliver(spark, quick, available_now=True, feeds=["orders"])
    finally:
        shop.sandbox.client.clear()
    hash_ = next(iter(before.values()))["entity_hash"]
    held = erase.stored(spark, quick, shop.secrets, whom)
    assert (held.messages["queued"], held.messages["dead"], held.marked) == (1, 1, False)
    told = export(spark, quick, shop.secrets, whom)
    assert "o003" in json.dumps(told)
    assert "o004" not in json.dumps(told)

    request = erase.ask(spark, quick, shop.secrets, whom, "delete")
    drain(spark, quick, lambda: erase.progress(spark, quick, request) == erase.DONE)
    assert shop.sandbox.client.person("p1")["deleted"]
    assert payloads(spark, where, hash_) == {"outcomes": 0, "retry_queue": 0, "commands": 0}
    commands.wish(spark, where, "r1", "replay", requested_by="t", message_id=next(iter(before)))
    shop.insert("orders", ORDERS, [order(5, "p1"), order(6, "p2")])
    assert run_deliver(spark, quick, available_now=True) == OK
    assert run_drain(spark, quick, available_now=True) == OK
    theirs = [row for row in ledger() if row["entity_hash"] == hash_]
    assert [r["reason"] for r in theirs if r["kind"] == "cancelled"] == ["erased"] * 3
    assert payloads(spark, where, hash_)["outcomes"] == 0
    assert shop.sandbox.client.person("p1")["deleted"]
    results = where.place(COMMANDS).read(spark).where("entry = 'result' AND command_id = 'r1'")
    assert [(r["status"], r["detail"]) for r in results.collect()] == [
        ("refused", "its person or object was erased")
    ]
    log = entries(spark, quick, action="erase")
    assert [e.action for e in log] == ["erase.requested", "erase.marked", "erase.done"]
    assert verify(entries(spark, quick), heads(quick)) == ()
    assert all("p1@" not in e.detail and '"p1"' not in e.detail for e in log)

    request = erase.ask(spark, quick, shop.secrets, whom, "unsuppress")
    drain(spark, quick, lambda: erase.progress(spark, quick, request) == erase.DONE)
    shop.insert("people", PEOPLE, [person(1)])
    assert run_deliver(spark, quick, available_now=True) == OK
    assert not shop.sandbox.client.person("p1")["deleted"]


def test_requests_come_from_a_table_and_consent_may_be_withdrawn(spark, shop, ledger, monkeypatch):
    """A row that asks to erase would be sent as it is, or what waits would go out without leave."""
    from pipeline.streams.runtime import Runtime

    monkeypatch.setattr(Runtime, "longest_slice", lambda _: 1.5)
    feeds = shop.folder / "feeds"
    (feeds / "requests.yml").write_text(
        "source: requests\nstart: {version: 0}\nrow_key: [person_id]\n"
        "entity: {person: person_id}\nerasure: suppress\n"
    )
    text = (feeds / "orders.yml").read_text()
    (feeds / "orders.yml").write_text(text + "consent: coalesce(note, '') <> 'no'\n")
    shop.insert("people", PEOPLE, [person(3)])
    shop.insert("orders", ORDERS, [order(1, "p2"), order(2, "p3")])
    shop.insert("requests", PEOPLE, [])
    shop.sandbox.client.fail(Failure(kind="status", status=503))
    run_deliver(spark, shop.settings, available_now=True, feeds=["orders"])
    shop.sandbox.client.clear()
    shop.insert("orders", ORDERS, [order(3, "p2") | {"note": "no"}])
    shop.insert("requests", PEOPLE, [person(3)])
    assert run_deliver(spark, shop.settings, available_now=True) == OK
    reasons = {row["reason"] for row in ledger() if row["feed"] == "requests"}
    assert reasons == {"erase_requested"}
    drain(
        spark,
        shop.settings,
        lambda: (shop.sandbox.client.person("p3") or {}).get("suppressed"),
    )
    assert run_drain(spark, shop.settings, available_now=True) == OK
    found = {(row["feed"], row["kind"], row["reason"]) for row in ledger()}
    assert ("orders", "skipped", "consent_withdrawn") in found
    assert ("orders", "skipped", "no_consent") in found
    assert ("orders", "cancelled", "erased") in found
    assert not {key for key in found if key[1] in {"queued", "dead"}}
    assert shop.sandbox.client.events("p2", limit=10) == []
