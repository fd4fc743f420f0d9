"""What the API requires of a call."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.sandbox.read import Call
from pipeline.sandbox.validation import (
    CALL_TYPES,
    RESERVED,
    certainly_valid,
    find_errors,
    is_date_time,
)

DEVICE = {"device": {"token": "t"}}
VALID = [
    ("identify", {"userId": "u"}),
    ("identify", {"userId": "", "anonymousId": "a", "traits": {"x": None}}),
    ("track", {"userId": "u", "event": "e", "properties": {}, "timestamp": "2024-02-29T10:00:00Z"}),
    ("track", {"groupId": "g", "event": "e"}),
    ("page", {"anonymousId": "a", "name": "home"}),
    ("screen", {"userId": "u", "context": {}, "integrations": {"All": True}}),
    ("group", {"groupId": "g"}),
    ("alias", {"userId": "u", "previousId": "p"}),
    ("track", {"userId": "u", "event": "User Deleted"}),
    ("track", {"userId": "u", "event": "Device Deleted", "context": DEVICE}),
    ("track", {"anonymousId": "a", "event": "Object Deleted", "properties": {"objectId": "o"}}),
    ("track", {"userId": "u", "event": "Relationship Deleted", "properties": {"objectId": "o"}}),
    ("track", {"event": "Report Delivery Event", "properties": {"deliveryId": "d"}}),
]
INVALID = [
    ("identify", {}, "userId or anonymousId is required"),
    ("identify", {"userId": ""}, "userId or anonymousId is required"),
    ("identify", {"userId": 5}, "userId must be a string"),
    ("identify", {"userId": "ü" * 76}, "userId must be at most 150 bytes"),
    ("identify", {"userId": "u", "traits": []}, "traits must be an object"),
    ("identify", {"userId": "u", "type": "track"}, "type must be identify here"),
    ("track", {"userId": "u"}, "event is required"),
    ("track", {"userId": "u", "event": ""}, "event is required"),
    ("track", {"event": "e"}, "userId or anonymousId is required"),
    ("track", {"userId": "u", "event": "e", "properties": "p"}, "properties must be an object"),
    ("page", {"userId": "u", "timestamp": "2023-02-29T10:00:00Z"}, "timestamp must be an ISO"),
    ("screen", {"name": "s"}, "userId or anonymousId is required"),
    ("group", {"userId": "u"}, "groupId is required"),
    ("alias", {"userId": "u"}, "previousId is required"),
    ("alias", {"previousId": "p"}, "userId is required"),
    ("track", {"anonymousId": "a", "event": "User Deleted"}, "userId is required for User"),
    ("track", {"userId": "u", "event": "Device Deleted"}, "context.device.token is required"),
    ("track", {"userId": "u", "event": "Relationship Deleted"}, "properties.objectId is required"),
    ("track", {"event": "Report Content Event"}, "properties is required"),
    ("batch", {"userId": "u"}, "type must be one of"),
    ("batch", {"type": "event", "userId": "u"}, "type must be one of"),
    ("identify", ["userId"], "a call must be an object"),
]


@pytest.mark.parametrize(("call_type", "call"), VALID)
def test_valid(call_type, call):
    """A call as the specification has it passes, alone and in a batch."""
    assert find_errors(call_type, call) == ()
    assert find_errors("batch", {**call, "type": call_type}) == ()


@pytest.mark.parametrize(("endpoint", "call", "words"), INVALID)
def test_invalid(endpoint, call, words):
    """Each requirement is refused with words that name the field."""
    errors = find_errors(endpoint, call)
    assert len(errors) == 1
    assert errors[0].startswith(words)


def test_alias_in_batch_is_a_setting():
    """The specification leaves alias out of a batch, so a sandbox can refuse it there."""
    call = {"type": "alias", "userId": "u", "previousId": "p"}
    assert find_errors("batch", call, alias_in_batch=False) == ("alias is not allowed in a batch",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-01T10:00:00Z", True),
        ("2024-05-01T10:00:00.123456+02:00", True),
        ("2024-05-01t10:00:00z", True),
        ("2024-05-01", False),
        ("2024-05-01T10:00:00", False),
        ("2024-13-01T10:00:00Z", False),
        ("1714557600", False),
        ("\u0662024-05-01T10:00:00Z", False),
    ],
)
def test_date_times(text, expected):
    """Date, time and zone, and a day that exists."""
    assert is_date_time(text) is expected


TEXT = st.sampled_from(["", "u", "a" * 150, "a" * 151, "ü" * 75, "ü" * 76]) | st.text(max_size=5)
TIME = st.sampled_from(["2024-05-01T10:00:00Z", "2024-02-30T10:00:00Z", "2024-05-01", ""])
ODD = st.none() | st.integers() | st.lists(st.integers(), max_size=1) | st.booleans()
OBJECT = st.just({}) | st.just({"objectId": "o"}) | st.just(DEVICE) | ODD
CALLS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from([*CALL_TYPES, "other"]) | ODD,
        "messageId": TEXT | ODD,
        "userId": TEXT | ODD,
        "anonymousId": TEXT | ODD,
        "groupId": TEXT | ODD,
        "previousId": TEXT | ODD,
        "event": st.sampled_from(["e", "", *sorted(RESERVED)]) | ODD,
        "timestamp": TIME | ODD,
        "sentAt": TIME | ODD,
        "traits": OBJECT,
        "properties": OBJECT,
        "context": OBJECT,
        "integrations": OBJECT,
    },
)


@given(endpoint=st.sampled_from([*CALL_TYPES, "batch"]), call=CALLS)
@example(endpoint="track", call={"userId": "u", "event": "User Deleted", "type": "track"})
def test_shortcut_never_passes_what_is_refused(endpoint, call):
    """What the typed reading and the shortcut pass, the full validation passes too."""
    try:
        typed = msgspec.json.decode(msgspec.json.encode(call), type=Call)
    except msgspec.ValidationError:
        assert find_errors(endpoint, call)
        return
    if certainly_valid(endpoint, typed):
        assert find_errors(endpoint, call) == ()


def test_shortcut_passes_the_common_call():
    """The common call takes the shortcut, or the shortcut would be of no use."""
    call = Call(type="track", userId="u", event="e", timestamp="2024-05-01T10:00:00.000Z")
    assert certainly_valid("batch", call)
    assert certainly_valid("track", call)
