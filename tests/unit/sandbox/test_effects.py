"""What calls do to people and objects."""

import pytest

from pipeline.sandbox.effects import (
    DeleteDevice,
    DeleteObject,
    DeletePerson,
    DeleteRelationship,
    SetAttributes,
    SetDevice,
    SetObject,
    SuppressPerson,
    UnsuppressPerson,
    effect_of,
    merge,
)

DEVICE = {"device": {"token": "t", "type": "ios"}}
OBJECT = {"objectId": "o", "objectTypeId": 2}


def track(event, **fields):
    return "track", {"userId": "u", "event": event, **fields}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            ("identify", {"userId": "u", "traits": {"a": 1}, "timestamp": "t"}),
            SetAttributes(user_id="u", attributes={"a": 1}, timestamp="t"),
        ),
        (("identify", {"anonymousId": "a", "traits": {"a": 1}}), None),
        (track("Bought"), None),
        (("page", {"userId": "u", "event": "User Deleted"}), None),
        (track("User Deleted"), DeletePerson(user_id="u")),
        (track("User Suppressed"), SuppressPerson(user_id="u")),
        (track("User Unsuppressed"), UnsuppressPerson(user_id="u")),
        (
            track("Device Created or Updated", context=DEVICE, properties={"os": "17"}),
            SetDevice(user_id="u", token="t", attributes={"os": "17", "type": "ios"}),
        ),
        (track("Device Deleted", context=DEVICE), DeleteDevice(user_id="u", token="t")),
        (track("Object Deleted", properties=OBJECT), DeleteObject(type_id="2", object_id="o")),
        (
            ("track", {"event": "Object Deleted", "properties": {"objectId": "o"}}),
            DeleteObject(type_id="1", object_id="o"),
        ),
        (
            track("Relationship Deleted", properties=OBJECT),
            DeleteRelationship(type_id="2", object_id="o", user_id="u"),
        ),
        (
            (
                "group",
                {
                    "groupId": "g",
                    "userId": "u",
                    "traits": {"n": 1, "object_type_id": "3", "relationshipAttributes": {"r": 2}},
                },
            ),
            SetObject(
                type_id="3",
                object_id="g",
                attributes={"n": 1},
                user_id="u",
                relationship={"r": 2},
            ),
        ),
    ],
)
def test_effects(call, expected):
    """Each kind of call does what the documentation says of it."""
    assert effect_of(*call) == expected


def test_null_removes():
    """A new value replaces the whole old one; null removes it."""
    before = {"a": 1, "b": {"x": 1}, "c": 3}
    assert merge(before, {"a": None, "b": {"y": 2}, "d": None}) == {"b": {"y": 2}, "c": 3}
