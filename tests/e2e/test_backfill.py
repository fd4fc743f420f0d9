"""The first load of a table: in parts, with newer changes ahead of it."""

from pathlib import Path

import pytest

from pipeline.operations.reconcile import reconcile
from pipeline.source.feed_files import load_feeds
from pipeline.streams.run import OK, run_deliver
from pipeline.streams.runtime import StopRequestedError
from pipeline.tables.first_load import Progress

from .conftest import PEOPLE

ROWS, PART = 60, 20


def person(number, **changed):
    return {"person_id": f"p{number}", "email": f"p{number}@example.com", "age": "30"} | changed


@pytest.fixture
def in_parts(shop):
    """Settings under which the table's first load has several parts."""
    Path(shop.settings.sources.feeds, "orders.yml").unlink()
    delivery = shop.settings.delivery.model_copy(update={"backfill_rows": PART})
    return shop.settings.model_copy(update={"delivery": delivery})


def at_part(monkeypatch, number, act):
    """Do something when so many parts are recorded, before the next."""
    finish = Progress.finish

    def finished(self, first, last):
        finish(self, first, last)
        if self.done == number:
            act()

    monkeypatch.setattr(Progress, "finish", finished)


def test_a_change_overtakes_a_first_load_and_order_is_kept(
    spark, shop, in_parts, ledger, monkeypatch
):
    """A change of today would wait for hours, or be overwritten by the older row of the load."""
    shop.insert("people", PEOPLE, [person(n) for n in range(ROWS)])
    changed = []

    def upstream():
        sent = {p["user_id"] for p in shop.sandbox.client.people(limit=ROWS)}
        changed.extend(sorted({f"p{n}" for n in range(ROWS)} - sent)[:2])
        chosen = ", ".join(f"'{one}'" for one in changed)
        shop.delta("people").update(updates={"note": "'new'"}, predicate=f"person_id IN ({chosen})")
        shop.insert("people", PEOPLE, [person(ROWS)])

    at_part(monkeypatch, 1, upstream)
    assert run_deliver(spark, in_parts, available_now=True) == OK

    first = {row["message_id"]: row["first_seq"] for row in shop.sandbox.client.message_ids()}
    rows = ledger()
    assert {row["kind"] for row in rows} == {"accepted"}
    assert set(first) == {row["message_id"] for row in rows}
    assert set(shop.accepted().values()) == {1}
    load = [first[row["message_id"]] for row in rows if row["source_version"] == 0]
    live = [first[row["message_id"]] for row in rows if row["source_version"] > 0]
    assert (len(load), len(live)) == (ROWS, 3)
    assert sum(seq > max(live) for seq in load) > ROWS // 4
    for one in changed:
        found = shop.sandbox.client.person(one)["attributes"]
        assert (found["note"], found["email"]) == ("new", f"{one}@example.com")
    by_entity = {}
    for row in sorted(rows, key=lambda row: first[row["message_id"]]):
        by_entity.setdefault(bytes(row["entity_hash"]), []).append(row["source_version"])
    assert all(versions == sorted(versions) for versions in by_entity.values())
    assert all(
        one.closes for one in reconcile(spark, in_parts, load_feeds(Path(in_parts.sources.feeds)))
    )


def test_a_first_load_that_breaks_off_goes_on_with_the_next_part(
    spark, shop, in_parts, monkeypatch
):
    """A restart would send hours of work again, or read all of it to know what was sent."""
    shop.insert("people", PEOPLE, [person(n) for n in range(ROWS)])
    broken = []

    def break_off():
        if not broken:
            broken.append(len(shop.accepted()))
            shop.insert("people", PEOPLE, [person(ROWS)])
        raise StopRequestedError

    with monkeypatch.context() as patched:
        at_part(patched, 2, break_off)
        assert run_deliver(spark, in_parts, available_now=True) == OK
    assert 0 < broken[0] < ROWS
    assert run_deliver(spark, in_parts, available_now=True) == OK
    assert len(shop.accepted()) == ROWS + 1
    assert set(shop.accepted().values()) == {1}
    assert not list(Path(in_parts.tables.checkpoints, "backfill").glob("*.json"))
