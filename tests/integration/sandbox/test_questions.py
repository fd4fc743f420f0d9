"""What the sandbox tells about what arrived."""

import json
from itertools import count

import pytest

NUMBERS = count()


def track(event="e", user="u", **fields):
    call = {"type": "track", "userId": user, "event": event, "messageId": f"m{next(NUMBERS)}"}
    return {**call, **fields}


def identify(user="u", **traits):
    return {"type": "identify", "userId": user, "traits": traits, "messageId": f"i{next(NUMBERS)}"}


async def test_counts_close(sandbox):
    """Arrivals are applied or dropped, distinct ids or repeats."""
    repeated = track("bought")
    await sandbox.batch(repeated, identify(), track("bought", messageId=None))
    await sandbox.batch(repeated, {"type": "track", "userId": "u", "messageId": "x"}, strict=False)
    counts = await sandbox.ask("counts")
    assert counts == {
        "requests": {"200": 2},
        "arrivals": 5,
        "applied": 4,
        "without_message_id": 1,
        "distinct_message_ids": 3,
        "repeats": 1,
        "applied_message_ids": 2,
        "applied_repeats": 1,
        "by_type": {"identify": 1, "track": 4},
        "by_event": {"bought": 3},
        "dropped": {"invalid": 1},
        "people": 1,
        "suppressed": 0,
        "objects": 0,
        "relationships": 0,
        "devices": 0,
    }


async def test_message_ids_for_reconciliation(sandbox):
    """Each id comes once, with how often it arrived and how often it was applied."""
    repeated = track(messageId="b")
    await sandbox.batch(repeated, track(messageId="a"), repeated)
    await sandbox.batch({"type": "track", "messageId": "c"}, strict=False)
    async with sandbox.session.get("/_sandbox/message_ids") as response:
        assert response.content_type == "application/x-ndjson"
        lines = [json.loads(line) async for line in response.content]
    assert lines == [
        {"message_id": "a", "count": 1, "applied": 1, "first_seq": 2},
        {"message_id": "b", "count": 2, "applied": 2, "first_seq": 1},
        {"message_id": "c", "count": 1, "applied": 0, "first_seq": 4},
    ]


async def test_a_person_grows_in_order_of_arrival(sandbox):
    """Traits are merged, null removes, and the last timestamp is kept."""
    await sandbox.batch(identify(a=1, b=2), identify(a=None, c={"x": 1}))
    later = {**identify(c={"y": 2}), "timestamp": "2024-05-01T10:00:00Z"}
    await sandbox.batch(later, track())
    person = await sandbox.ask("people/u")
    assert person["attributes"] == {"b": 2, "c": {"y": 2}}
    assert person["identified_timestamp"] == "2024-05-01T10:00:00Z"
    assert (person["events"], person["deleted"], person["suppressed"]) == (1, False, False)


@pytest.mark.parametrize("asked_between", [False, True])
async def test_a_deleted_person_comes_back_with_a_later_call(sandbox, asked_between):
    """Deletion takes attributes, not the count of events; whenever it is looked at."""
    await sandbox.batch(identify(a=1), track(), track("User Deleted"))
    if asked_between:
        person = await sandbox.ask("people/u")
        assert (person["attributes"], person["events"], person["deleted"]) == ({}, 1, True)
        assert await sandbox.ask("people") == []
    await sandbox.batch(track())
    person = await sandbox.ask("people/u")
    assert (person["attributes"], person["events"], person["deleted"]) == ({}, 2, False)


async def test_a_suppressed_person_is_ignored(sandbox):
    """Calls after a suppression are dropped, until it is lifted."""
    await sandbox.batch(identify(a=1), track("User Suppressed"))
    assert await sandbox.batch(track(), track(user="v")) == (200, {})
    person = await sandbox.ask("people/u")
    assert (person["deleted"], person["suppressed"], person["events"]) == (True, True, 0)
    counts = await sandbox.ask("counts")
    assert (counts["dropped"], counts["people"], counts["suppressed"]) == ({"suppressed": 1}, 1, 1)
    await sandbox.batch(track("User Unsuppressed"), track())
    person = await sandbox.ask("people/u")
    assert (person["deleted"], person["suppressed"], person["events"]) == (False, False, 1)


async def test_events_of_a_person(sandbox):
    """Events come in order with what was sent; reserved ones are no events."""
    sent = [track("a", properties={"n": 1}), track("b"), {**track("c"), "type": "page"}]
    await sandbox.batch(*sent, track("b", user="v"), track("User Unsuppressed"))
    assert (await sandbox.ask("people/u"))["events"] == 3
    events = await sandbox.ask("people/u/events")
    assert [event["call"] for event in events] == sent
    assert [e["event"] for e in await sandbox.ask("people/u/events", limit=1, offset=1)] == ["b"]


async def test_devices(sandbox):
    """A device is added, changed and removed."""
    device = {"token": "t", "type": "ios"}
    await sandbox.batch(track("Device Created or Updated", context={"device": device}))
    await sandbox.batch(
        track(
            "Device Created or Updated",
            context={"device": {"token": "t"}},
            properties={"app": 2},
        )
    )
    person = await sandbox.ask("people/u")
    assert person["devices"] == [{"token": "t", "attributes": {"type": "ios", "app": 2}}]
    await sandbox.batch(track("Device Deleted", context={"device": device}))
    person = await sandbox.ask("people/u")
    assert (person["devices"], person["events"]) == ([], 0)


async def test_objects_and_relationships(sandbox):
    """A group makes an object and relates a person; both can be deleted."""
    group = {"type": "group", "userId": "u", "groupId": "g"}
    await sandbox.batch({**group, "traits": {"n": 1, "relationshipAttributes": {"r": 1}}})
    await sandbox.batch({**group, "userId": "v", "traits": {"m": 2, "n": None}})
    assert await sandbox.ask("objects") == [
        {"type_id": "1", "object_id": "g", "attributes": {"m": 2}}
    ]
    related = await sandbox.ask("relationships")
    assert [(r["user_id"], r["attributes"]) for r in related] == [("u", {"r": 1}), ("v", {})]
    await sandbox.batch(track("Relationship Deleted", properties={"objectId": "g"}))
    assert (await sandbox.ask("people/u"))["relationships"] == []
    assert len((await sandbox.ask("people/v"))["relationships"]) == 1
    await sandbox.batch(track("Object Deleted", properties={"objectId": "g"}))
    assert (await sandbox.ask("objects"), await sandbox.ask("relationships")) == ([], [])


async def test_dropped_malformed_body_is_shown_as_text(sandbox):
    """What vanished can be looked at, even when it is no JSON."""
    await sandbox.send("batch", b'{"batch": [', strict=False)
    (dropped,) = await sandbox.ask("dropped")
    assert (dropped["dropped"], dropped["call"]) == ("malformed", '{"batch": [')


async def test_ids_with_any_characters(sandbox):
    """An id may hold what a path may not."""
    user = "a/b?c=d e%2F\u00fc"
    await sandbox.batch(identify(user, a=1))
    async with sandbox.session.get("/_sandbox/people") as response:
        assert (await response.json())[0]["user_id"] == user


async def test_reset(sandbox):
    """Afterwards it is as new, suppressions and failures included."""
    await sandbox.batch(track("User Suppressed"), track())
    await sandbox.fail(kind="status", status=503)
    async with sandbox.session.post("/_sandbox/reset") as response:
        assert response.status == 200
    assert await sandbox.batch(track(messageId="after")) == (200, {})
    counts = await sandbox.ask("counts")
    assert (counts["arrivals"], counts["applied"], counts["people"]) == (1, 1, 1)


async def test_nobody_knows_that_person(sandbox):
    """An id that no call named is 404; a limit that is no number is 400."""
    for path, status in (("people/nobody", 404), ("people?limit=x", 400)):
        async with sandbox.session.get(f"/_sandbox/{path}") as response:
            assert response.status == status
