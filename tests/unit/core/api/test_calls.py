"""Models made in Python: names, what is sent, what is refused."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from pipeline.core.api.calls import Alias, Batch, Call, Group, Identify, Track
from pipeline.core.api.check import check
from pipeline.core.api.ecommerce import OrderCompleted
from pipeline.core.api.limits import Limits
from pipeline.core.api.reserved import DeviceCreatedOrUpdated, ObjectDeleted, UserDeleted
from pipeline.core.api.shop import CompletedOrder, Product


def sent(model: Any) -> Any:
    return json.loads(model.model_dump_json(exclude_unset=True))


def test_python_names_become_the_names_of_the_api() -> None:
    """What was set is sent, with the type, and nothing else."""
    call = Track(
        user_id="u",
        event="Basket Paid",
        timestamp=datetime(2026, 1, 31, 8, 30, tzinfo=UTC),
        properties={"order_id": "b", "total": None},
    )
    assert sent(call) == {
        "type": "track",
        "userId": "u",
        "event": "Basket Paid",
        "timestamp": "2026-01-31T08:30:00Z",
        "properties": {"order_id": "b", "total": None},
    }


def test_a_null_trait_is_sent_since_it_removes_the_attribute() -> None:
    """Set to null and not set are two things."""
    call = Identify(user_id="u", traits={"email": None, "plan": None})
    assert sent(call)["traits"] == {"email": None, "plan": None}
    assert sent(Identify(user_id="u")) == {"type": "identify", "userId": "u"}


def test_a_trait_of_ones_own_is_not_taken_for_the_documented_one() -> None:
    """`created_at` is not `createdAt`, and `user_agent` is not `userAgent`."""
    call = {
        "type": "identify",
        "userId": "u",
        "traits": {"created_at": 1},
        "context": {"user_agent": "x"},
    }
    assert sent(check(call)) == call
    assert sent(Identify(user_id="u", traits={"created_at": 1}))["traits"] == {"created_at": 1}


def test_an_event_brings_its_name() -> None:
    """A documented event is sent with type and name."""
    assert sent(UserDeleted(user_id="u")) == {
        "type": "track",
        "event": "User Deleted",
        "userId": "u",
    }
    device = DeviceCreatedOrUpdated(
        user_id="u", context={"device": {"token": "t" * 300, "type": "ios"}}
    )
    assert sent(device)["context"] == {"device": {"token": "t" * 300, "type": "ios"}}
    gone = ObjectDeleted(anonymous_id="any", properties={"object_id": "o", "object_type_id": 2})
    assert sent(gone)["properties"] == {"objectId": "o", "objectTypeId": 2}


def test_properties_can_be_models() -> None:
    """A number stays the number that it was."""
    order = CompletedOrder(
        order_id="o", total=10, products=(Product(product_id="p", price=9.5, quantity=1),)
    )
    assert sent(OrderCompleted(user_id="u", properties=order))["properties"] == {
        "order_id": "o",
        "total": 10,
        "products": [{"product_id": "p", "price": 9.5, "quantity": 1}],
    }


def circle() -> dict[str, Any]:
    one: dict[str, Any] = {}
    one["one"] = one["other"] = one
    return one


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("-inf"),
        [1, {"a": float("inf")}],
        "\ud800",
        {"\ud800": 1},
        {1: 1},
        {1, 2},
        b"bytes",
        datetime(2026, 1, 31, tzinfo=UTC),
        circle(),
    ],
)
def test_values_that_json_has_no_form_for_are_refused(value) -> None:
    """At any depth, and before anything is written."""
    with pytest.raises(ValidationError) as refused:
        Track(user_id="u", event="e", properties={"a": value})
    assert refused.value.errors()[0]["loc"][:2] == ("properties", "a")
    with pytest.raises(ValidationError):
        Identify(user_id="u", traits={"a": value})
    with pytest.raises(ValidationError):
        Identify(user_id="u", context={"a": value})
    with pytest.raises(ValidationError):
        OrderCompleted(user_id="u", properties={"products": [{"a": value}]})


def test_a_model_is_frozen_and_closed() -> None:
    """No field is changed later, and none is invented."""
    call = Alias(user_id="u", previous_id="p")
    with pytest.raises(ValidationError, match="frozen"):
        call.user_id = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs"):
        Group(group_id="g", surprise=1)  # type: ignore[call-arg]


def test_json_is_read_by_the_names_of_the_api_only() -> None:
    """The spelling of Python is refused on the wire."""
    with pytest.raises(ValidationError, match="user_id"):
        UserDeleted.model_validate_json(b'{"type":"track","event":"User Deleted","user_id":"u"}')


def test_limits_come_with_the_validation_context() -> None:
    """Without one the published limits hold."""
    line = b'{"type":"track","userId":"12345","event":"e"}'
    adapter: TypeAdapter[Call] = TypeAdapter(Call)
    assert adapter.validate_json(line)
    assert adapter.validate_json(line, context=Limits(id_bytes=5))
    with pytest.raises(ValidationError, match="limit of 4"):
        adapter.validate_json(line, context=Limits(id_bytes=4))


def test_a_batch_is_made_of_calls() -> None:
    """Calls stay what they are, in order; an alias is none of them."""
    calls = (Identify(user_id="u"), Track(user_id="u", event="e"))
    assert [call["type"] for call in sent(Batch(batch=calls))["batch"]] == ["identify", "track"]
    with pytest.raises(ValidationError):
        Batch(batch=(Alias(user_id="u", previous_id="p"),))  # type: ignore[arg-type]


def test_a_limit_is_a_positive_whole_number() -> None:
    """A limit that refuses everything, or is no number, is refused itself."""
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="id_bytes must be a positive"):
            Limits(id_bytes=wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no batch could hold one call"):
        Limits(batch_bytes=31_999)
