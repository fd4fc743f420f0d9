"""What is accepted and what is refused, by example and by property."""

import json
import math
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.core.api.calls import Batch, Identify, Track
from pipeline.core.api.check import MODELS, check, check_line, check_request
from pipeline.core.api.common import Closed
from pipeline.core.api.limits import Limits
from pipeline.core.api.problem import Problem
from pipeline.core.api.reserved import UserDeleted
from pipeline.core.api.vocabularies import EVENTS

TRACK = {"type": "track", "userId": "u-1", "event": "Basket Paid"}
IDENTIFY = {"type": "identify", "userId": "u-1"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def body(call: object) -> bytes:
    return json.dumps(call, ensure_ascii=False).encode()


def problems(call: object, **limits: int) -> list[tuple[str, str]]:
    return [(problem.stage, problem.field) for problem in check_line(body(call), Limits(**limits))]


def compact(value: Any) -> Any:
    """*value* with timestamps as moments, so that two spellings of one are equal."""
    match value:
        case dict():
            return {name: compact(inner) for name, inner in value.items()}
        case list():
            return [compact(inner) for inner in value]
        case str() if len(value) > 18 and value[10] == "T":
            try:
                return datetime.fromisoformat(value)
            except ValueError:
                return value
        case _:
            return value


@settings(max_examples=400, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_what_a_model_accepts_survives_the_way_to_json_and_back(draw_call, data) -> None:
    """Nothing is lost, added, renamed or changed, nulls included."""
    call = draw_call(data)
    model = check(body(call))
    assert isinstance(model, Closed), model
    written = model.model_dump_json(exclude_unset=True).encode()
    assert compact(json.loads(written)) == compact(call)
    again = check(written)
    assert again == model


@settings(max_examples=400, deadline=None)
@given(line=st.binary(max_size=200))
@example(line=b"")
@example(line=b"\xef\xbb\xbf{}")
@example(line=b"[" * 100_000)
@example(line=b'{"type":"track","userId":"\\ud800","event":"e"}')
@example(line=b'{"type":"identify","userId":"u","traits":' + b'{"a":' * 150 + b"1" + b"}" * 151)
@example(line=b'{"type":"identify","userId":"u","traits":{"a":' + b"9" * 4000 + b"}}")
def test_any_bytes_get_a_verdict(line) -> None:
    """No line stops the check: it is accepted, or it has problems that can be printed."""
    for problem in check_line(line):
        assert problem.stage in {"decode", "validate", "size"}
        assert problem.reason
        assert json.dumps(problem.field)


@settings(max_examples=400, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_any_json_in_any_field_gets_a_verdict(draw_call, data) -> None:
    """A good call with one field replaced by anything is accepted or explained."""
    call = draw_call(data)
    field = data.draw(st.sampled_from([*call, "context", "properties", "traits", "surprise"]))
    call[field] = data.draw(VALUES)
    result = check(body(call))
    assert isinstance(result, Closed) or (result and all(isinstance(p, Problem) for p in result))


@settings(max_examples=300, deadline=None)
@given(
    call=st.fixed_dictionaries(
        {"type": st.just("track"), "event": st.text(max_size=60)},
        optional={
            "userId": st.none() | st.text(max_size=60),
            "anonymousId": st.none() | st.just("a"),
            "groupId": st.none() | st.just("g"),
            "context": st.none() | st.just({"x": 1}) | st.just({"x": math.nan}),
            "properties": st.none()
            | st.dictionaries(
                st.text(max_size=3),
                st.recursive(
                    st.floats() | st.text(max_size=3) | st.none() | st.booleans(),
                    lambda inner: (
                        st.lists(inner, max_size=2)
                        | st.dictionaries(st.text(max_size=2), inner, max_size=2)
                    ),
                    max_leaves=4,
                ),
                max_size=3,
            ),
        },
    )
)
def test_the_shortcut_refuses_what_the_long_way_refuses(call) -> None:
    """`plainly_fine` is a shortcut, not a rule: without it the verdicts are the same."""
    limits = Limits(id_bytes=100, event_name_bytes=100)

    class LongWay(Track):
        def plainly_fine(self, limits: Limits) -> bool:  # noqa: ARG002
            return False

    def verdict(model: type[Track]) -> object:
        try:
            return model.model_validate_json(body(call), context=limits).model_dump_json()
        except ValueError as error:
            return [detail["loc"] for detail in error.errors()]

    assert verdict(Track) == verdict(LongWay)


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_a_documented_event_comes_as_its_own_model(event) -> None:
    """Its name alone decides."""
    model = EVENTS[event]
    assert model.event_name() == event
    assert model.vocabulary
    assert model.page.startswith("https://docs.customer.io/")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({**TRACK}, []),
        ({**TRACK, "userId": None, "anonymousId": "a"}, []),
        ({**TRACK, "userId": None, "groupId": "g"}, []),
        ({**TRACK, "userId": None}, [("validate", "userId")]),
        ({**TRACK, "userId": ""}, [("validate", "userId")]),
        ({**TRACK, "userId": " \t"}, [("validate", "userId")]),
        ({**TRACK, "userId": 7}, [("validate", "userId")]),
        ({**TRACK, "user_id": "u"}, [("validate", "user_id")]),
        ({**TRACK, "receivedAt": "2026-01-01T00:00:00Z"}, [("validate", "receivedAt")]),
        ({**TRACK, "type": "trak"}, [("validate", "type")]),
        ({"userId": "u", "event": "e"}, [("validate", "type")]),
        ({"type": "track", "userId": "u"}, [("validate", "event")]),
        ({**TRACK, "event": ""}, [("validate", "event")]),
        ({**TRACK, "properties": [1]}, [("validate", "properties")]),
        ({**TRACK, "properties": {"a": {"b": [0, math.nan]}}}, [("validate", "properties.a.b[1]")]),
        ({**TRACK, "properties": {"a b": math.inf}}, [("validate", 'properties["a b"]')]),
        ({**TRACK, "context": {"library": {"v": -math.inf}}}, [("validate", "context.library.v")]),
        ({**TRACK, "context": {"device": {"type": "web"}}}, [("validate", "context.device.type")]),
        ({**TRACK, "context": {"user_agent": "x", "library": {"name": "x"}}}, []),
        ({**TRACK, "integrations": {"All": "no"}}, [("validate", "integrations.All")]),
        ({**IDENTIFY, "traits": {"email": None, "created_at": 1, "a": None}}, []),
        ({**IDENTIFY, "traits": {"unsubscribed": "TRUE"}}, []),
        ({**IDENTIFY, "traits": {"createdAt": 1}}, [("validate", "traits.createdAt")]),
        ({**IDENTIFY, "traits": {"cio_subscription_preferences": {"topics": {"topic_1": ""}}}}, []),
        (
            {**IDENTIFY, "traits": {"cio_subscription_preferences": {"topics": {"topic_1": 1}}}},
            [("validate", "traits.cio_subscription_preferences.topics.topic_1")],
        ),
        ({"type": "group", "groupId": "g"}, []),
        ({"type": "group", "userId": "u"}, [("validate", "groupId")]),
        ({"type": "alias", "userId": "u"}, [("validate", "previousId")]),
        (
            {"type": "alias", "userId": "u", "previousId": "p", "anonymousId": "a"},
            [("validate", "anonymousId")],
        ),
        ({"type": "page", "anonymousId": "a", "category": None}, []),
        ({"type": "screen", "anonymousId": "a", "name": 3}, [("validate", "name")]),
        ({**TRACK, "event": "User Deleted"}, []),
        ({"type": "track", "event": "User Deleted", "anonymousId": "a"}, [("validate", "userId")]),
        ({"type": "track", "event": "Report Delivery Event", "properties": {}}, []),
        (
            {"type": "track", "event": "Report Content Event", "properties": {}},
            [("validate", "properties")],
        ),
        (
            {**TRACK, "event": "Relationship Deleted", "properties": {"objectId": "o" * 151}},
            [("size", "properties.objectId")],
        ),
        (
            {**TRACK, "event": "Device Deleted", "context": {"device": {"type": "ios"}}},
            [("validate", "context.device.token")],
        ),
        (
            {**TRACK, "event": "Order Completed", "properties": {"products": [{"price": "1"}]}},
            [("validate", "properties.products[0].price")],
        ),
        (
            {**TRACK, "event": "Product Reviewed", "properties": {"rating": 4.5}},
            [("validate", "properties.rating")],
        ),
        ({**TRACK, "event": "Product Reviewed", "properties": {"rating": 4.0, "mine": [1]}}, []),
        ({**TRACK, "event": "Email Opened"}, [("validate", "properties")]),
        ([], [("decode", "")]),
        (None, [("decode", "")]),
        ("text", [("decode", "")]),
    ],
)
def test_calls_and_their_verdicts(call, expected) -> None:
    """Each call is accepted, or refused in the field that is wrong."""
    assert problems(call) == expected


@pytest.mark.parametrize(
    ("timestamp", "accepted"),
    [
        ("2026-01-31T08:30:00Z", True),
        ("2026-01-31T08:30:00.123+05:30", True),
        ("2026-01-31T08:30:00.123456789Z", True),
        ("2024-02-29T00:00:00-00:00", True),
        ("2026-02-29T00:00:00Z", False),
        ("2026-01-31T08:30:00", False),
        ("2026-01-31 08:30:00Z", False),
        ("2026-01-31T08:30Z", False),
        ("2026-01-31", False),
        ("1767225600", False),
        (1767225600, False),
        ("", False),
    ],
)
def test_a_timestamp_is_iso_8601_with_a_zone(timestamp, accepted) -> None:
    """A moment without its zone is none."""
    expected = [] if accepted else [("validate", "timestamp")]
    assert problems({**TRACK, "timestamp": timestamp}) == expected


@pytest.mark.parametrize(
    ("call", "limit", "field"),
    [
        ({**TRACK, "userId": "\u00fc" * 5}, {"id_bytes": 10}, "userId"),
        ({**TRACK, "anonymousId": "a" * 10}, {"id_bytes": 10}, "anonymousId"),
        ({**TRACK, "groupId": "a" * 10}, {"id_bytes": 10}, "groupId"),
        ({"type": "alias", "userId": "u", "previousId": "a" * 10}, {"id_bytes": 10}, "previousId"),
        ({"type": "group", "groupId": "a" * 10}, {"id_bytes": 10}, "groupId"),
        ({**TRACK, "event": "\u00fc" * 5}, {"event_name_bytes": 10}, "event"),
        ({**IDENTIFY, "traits": {"n" * 10: 1}}, {"attribute_name_bytes": 10}, f"traits.{'n' * 10}"),
        ({**IDENTIFY, "traits": {"n": "v" * 10}}, {"attribute_value_bytes": 10}, "traits.n"),
        ({**IDENTIFY, "traits": {"n": [1, 2, 3, 45]}}, {"attribute_value_bytes": 10}, "traits.n"),
        ({**IDENTIFY, "traits": {"n": 1234567890}}, {"attribute_value_bytes": 10}, "traits.n"),
        (
            {
                "type": "group",
                "groupId": "g",
                "traits": {"relationshipAttributes": {"n": "v" * 10}},
            },
            {"attribute_value_bytes": 10},
            "traits.relationshipAttributes.n",
        ),
    ],
)
def test_a_limit_is_met_by_the_last_byte_and_exceeded_by_the_next(call, limit, field) -> None:
    """Limits count UTF-8, and each is a setting."""
    ((name, size),) = limit.items()
    assert problems(call, **limit) == []
    assert problems(call, **{name: size - 1}) == [("size", field)]


def test_a_call_is_measured_in_bytes() -> None:
    """The last byte that fits is accepted, the next is refused, with the size in the reason."""
    line = body({**TRACK, "properties": {"a": "\u00fc" * 100}})
    assert check_line(line, Limits(call_bytes=len(line))) == ()
    (problem,) = check_line(line + b"\r\n", Limits(call_bytes=len(line) - 1))
    assert (problem.stage, problem.field) == ("size", "")
    assert str(len(line)) in problem.reason


def test_properties_of_an_event_are_no_attributes() -> None:
    """An order's lines may be longer than an attribute's value, and more than its number."""
    lines = [{"sku": f"sku-{number}", "price": 1.5} for number in range(300)]
    assert problems({**TRACK, "properties": {"lines": lines}}) == []
    assert problems({**TRACK, "properties": {str(n): n for n in range(301)}}) == []


def test_three_hundred_attributes_and_not_one_more() -> None:
    """The number of traits is limited."""
    assert problems({**IDENTIFY, "traits": {str(n): n for n in range(300)}}) == []
    refused = problems({**IDENTIFY, "traits": {str(n): n for n in range(301)}})
    assert refused == [("validate", "traits")]


def test_a_problem_says_what_was_found_and_expected_and_where_to_read() -> None:
    """Field, reason, what is there, what should be, and the page."""
    (problem,) = check_line(body({**TRACK, "properties": "secret"}))
    assert problem == Problem(
        stage="validate",
        field="properties",
        reason="must be an object, but is a text of 6 bytes",
        found="a text of 6 bytes",
        expected="an object",
        page="https://docs.customer.io/integrations/api/cdp/",
    )


def test_a_problem_never_quotes_a_value() -> None:
    """Problems are logged and stored: they hold no personal data."""
    secret = "jane@example.com"
    call = {
        "type": "track",
        "event": "Device Deleted",
        "userId": [secret],
        "timestamp": secret,
        "context": {"device": {"type": secret, "token": {secret: secret}}},
        "properties": secret,
    }
    found = check_line(body(call))
    assert len(found) == 5
    assert secret not in repr(found)
    assert secret not in repr(check_line(body({**TRACK, "type": secret})))


def test_a_name_in_python_spelling_is_answered_with_the_right_one() -> None:
    """The commonest slip gets its own words."""
    (problem,) = check_line(body({**TRACK, "message_id": "m"}))
    assert problem.reason == "is not a name of the API: write messageId"


def test_a_mapping_is_judged_as_the_json_it_becomes() -> None:
    """What has no form in JSON is refused, and never raises."""
    assert isinstance(check(TRACK), Track)
    assert isinstance(check({**TRACK, "event": "User Deleted"}), UserDeleted)
    for value in (object(), math.nan, "\ud800", {1, 2}):
        result = check({**TRACK, "properties": {"a": value}})
        assert isinstance(result, tuple)
        assert len(result) == 1


def test_a_request_takes_its_type_from_the_endpoint() -> None:
    """The endpoint says the type where the body does not, and contradicts where it does."""
    assert isinstance(check_request("identify", b'{"userId":"u"}'), Identify)
    assert isinstance(check_request("track", body(TRACK)), Track)
    (problem,) = check_request("identify", body(TRACK))
    assert problem.field == "type"
    (size,) = check_request("identify", b'{"userId":"u"}', Limits(call_bytes=10))
    assert size.stage == "size"
    with pytest.raises(ValueError, match="there are identify, track"):
        check_request("people", b"{}")


def test_every_endpoint_refuses_what_is_no_object() -> None:
    """Whatever the endpoint, bytes that are no JSON object are a problem of decoding."""
    for endpoint in MODELS:
        for text in (b"", b"[]", b"{", b"\xff", b"3"):
            (problem,) = check_request(endpoint, text)
            assert problem.stage == "decode"


def test_a_batch_is_judged_call_by_call() -> None:
    """Each problem says which call it is in; one bad call does not hide another."""
    calls = [
        TRACK,
        {"type": "track"},
        3,
        {"type": "alias", "userId": "u", "previousId": "p"},
        {**TRACK, "event": "User Deleted", "properties": 1},
        {**TRACK, "properties": {"a": "b" * 32_000}},
    ]
    result = check_request("batch", body({"batch": calls, "surprise": 1}))
    assert isinstance(result, tuple)
    assert [(problem.stage, problem.field) for problem in result] == [
        ("validate", "surprise"),
        ("validate", "batch[1].event"),
        ("decode", "batch[2]"),
        ("validate", "batch[3].type"),
        ("validate", "batch[4].properties"),
        ("size", "batch[5]"),
    ]


def test_a_good_batch_is_a_batch() -> None:
    """Calls, one context, one set of integrations, and when it was sent."""
    batch = {
        "batch": [TRACK, {**IDENTIFY, "anonymousId": None}],
        "context": {"library": {"name": "x"}},
        "integrations": {"All": True},
        "sentAt": "2026-01-31T08:30:00+00:00",
    }
    result = check_request("batch", body(batch))
    assert isinstance(result, Batch)
    assert compact(json.loads(result.model_dump_json(exclude_unset=True))) == compact(batch)


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ({}, [("validate", "batch")]),
        ({"batch": []}, [("validate", "batch")]),
        ({"batch": 3}, [("validate", "batch")]),
        ({"batch": [{**TRACK, "event": "User Deleted", "userId": None}]}, None),
        ({"batch": [{**TRACK, "properties": {"a": "b" * 32_000}}]}, [("size", "batch[0]")]),
        ({"batch": [TRACK], "context": {"a": math.nan}}, [("validate", "context.a")]),
        ({"batch": [TRACK], "type": "batch"}, [("validate", "type")]),
    ],
)
def test_bad_batches(batch, expected) -> None:
    """Each is refused in the field that is wrong."""
    result = check_request("batch", body(batch))
    assert isinstance(result, tuple)
    if expected is None:
        assert [problem.field for problem in result] == ["batch[0].userId"]
    else:
        assert [(problem.stage, problem.field) for problem in result] == expected


def test_a_batch_is_measured_as_a_whole() -> None:
    """500,000 bytes by default, whatever its calls weigh."""
    calls = [{**TRACK, "properties": {"a": "b" * 30_000}}] * 17
    result = check_request("batch", body({"batch": calls}))
    assert isinstance(result, tuple)
    assert [(problem.stage, problem.field) for problem in result] == [("size", "")]
