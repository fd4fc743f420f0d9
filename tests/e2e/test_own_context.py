"""Feeds whose calls bring a context of their own: devices, and an outbox of calls in JSON."""

import json
from pathlib import Path

import pyarrow as pa

from pipeline.sandbox.failure import Failure, Match
from pipeline.streams.run import OK, run_deliver, run_drain
from pipeline.tables import session

EXAMPLES = Path("conf/feeds/examples")
DEVICES = pa.schema([(name, pa.string()) for name in ("person_id", "token", "platform")])
DEVICES = DEVICES.append(pa.field("app_version", pa.string()))
OUTBOX = pa.schema(
    [
        ("call_id", pa.string()),
        ("person_id", pa.string()),
        ("call", pa.string()),
        ("written_at", pa.timestamp("us", "UTC")),
    ]
)


def call(number, **more):
    said = {"type": "track", "userId": "ann", "event": f"Said {number}", **more}
    return {"call_id": f"c{number}", "person_id": "ann", "call": json.dumps(said)}


def test_devices_and_calls_in_json_arrive_with_their_context(spark, shop, ledger, monkeypatch):
    """A token would be lost, go to somebody else's device, or not survive the retry queue.

    With compiled queries, as large micro-batches have them; the other tests' are interpreted.
    """
    monkeypatch.setattr(session, "COMPILED_FROM", 0)
    feeds = Path(shop.settings.sources.feeds)
    for file in feeds.glob("*.yml"):
        file.unlink()
    for name in ("devices", "outbox"):
        (feeds / f"{name}.yml").write_text((EXAMPLES / f"{name}.yml").read_text())
    shop.insert(
        "devices",
        DEVICES,
        [
            {"person_id": "ann", "token": "t1", "platform": "iOS", "app_version": "2"},
            {"person_id": "bob", "token": "t2", "platform": "android"},
            {"person_id": "bob", "token": "t3", "platform": "symbian"},
        ],
    )
    bad = {"call_id": "c9", "person_id": "ann", "call": '{"type": "identify", "userId": "cat"}'}
    shop.insert("outbox", OUTBOX, [call(1), call(2, context={"ip": "::1"}), call(3), bad])
    shop.sandbox.client.fail(Failure(kind="status", status=500, match=Match(user_id="bob")))
    assert run_deliver(spark, shop.settings, available_now=True) == OK
    shop.sandbox.client.clear()
    for _ in range(2):
        assert run_drain(spark, shop.settings, available_now=True) == OK

    ended = {(row["reason"], row["kind"]) for row in ledger() if row["kind"] != "accepted"}
    assert ended == {("device_type", "dead"), ("entity_differs", "dead")}
    (one,) = shop.sandbox.client.person("bob")["devices"]
    assert (one["token"], one["attributes"]["type"]) == ("t2", "android")
    (one,) = shop.sandbox.client.person("ann")["devices"]
    assert (one["token"], one["attributes"]["app_version"]) == ("t1", "2")
    said = [one["call"] for one in shop.sandbox.client.events("ann")]
    said = {one["event"]: one for one in said if one["event"].startswith("Said")}
    assert sorted(said) == ["Said 1", "Said 2", "Said 3"]
