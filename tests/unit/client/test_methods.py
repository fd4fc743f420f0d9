"""Each call of the API has its method, on both clients."""

import json
from typing import Any

import pytest

from pipeline.client import CustomerIO, SyncCustomerIO
from pipeline.client.message import seal
from pipeline.client.reserved import ReservedCalls
from pipeline.core.api.calls import CallBase
from pipeline.core.api.catalogue import endpoints, events
from pipeline.core.api.check import check
from pipeline.core.api.ecommerce import OrderCompleted
from pipeline.core.api.limits import DEFAULT_LIMITS


class Dry(ReservedCalls[dict[str, Any]]):
    """Gives back each call as it would be sent."""

    def _put(self, model: type[CallBase], fields: dict[str, Any]) -> dict[str, Any]:
        message = seal(model, fields, DEFAULT_LIMITS)
        call = {**json.loads(message.body), **json.loads(message.envelope)}
        assert not isinstance(check(call), tuple)
        return call


DRY = Dry()
SENT = {
    "identify": lambda cio: cio.identify("1", {"plan": "gold"}),
    "track": lambda cio: cio.track("1", "Bought", {"n": 1}),
    "page": lambda cio: cio.page("1", "home"),
    "screen": lambda cio: cio.screen("1", "home"),
    "group": lambda cio: cio.group("1", "acme", {"name": "Acme"}),
    "alias": lambda cio: cio.alias("0", "1"),
    "Device Created or Updated": lambda cio: cio.add_device(
        "1", "token", "ios", device={"model": "m"}, context={"ip": "192.0.2.1"}
    ),
    "Device Deleted": lambda cio: cio.delete_device("1", "token"),
    "User Deleted": lambda cio: cio.delete("1"),
    "User Suppressed": lambda cio: cio.suppress("1"),
    "User Unsuppressed": lambda cio: cio.unsuppress("1"),
    "Object Deleted": lambda cio: cio.delete_object("acme", object_type_id=2),
    "Relationship Deleted": lambda cio: cio.unrelate("1", "acme", object_type_id=2),
    "Report Delivery Event": lambda cio: cio.report_delivery("d", "opened"),
    "Report Content Event": lambda cio: cio.report_content("viewed_content", content_id=1),
}


def own(call: dict[str, Any]) -> dict[str, Any]:
    return {name: call[name] for name in call.keys() - {"messageId", "timestamp"}}


@pytest.mark.parametrize("client", [CustomerIO, SyncCustomerIO])
@pytest.mark.parametrize("entry", [*endpoints(), *events()], ids=lambda entry: entry.name)
def test_the_method_that_the_docs_name_is_there(client, entry):
    """The table of the docs would name a method that nobody can call."""
    assert callable(getattr(client, entry.method))


@pytest.mark.parametrize("name", SENT)
def test_each_method_sends_what_its_name_says(name):
    """A method would send another call than the docs say."""
    call = SENT[name](DRY)
    assert name in (call["type"], call.get("event"))
    (entry,) = (entry for entry in (*endpoints(), *events()) if entry.name == name)
    assert entry.method in SENT[name].__code__.co_names


def test_every_reserved_event_and_endpoint_is_tried():
    """A new event could come without a method."""
    reserved = {entry.name for entry in events() if entry.vocabulary == "Customer.io"}
    assert {*reserved, *(entry.name for entry in endpoints())} - {"batch"} == set(SENT)


def test_a_device_stands_in_the_context():
    """Customer.io would find no token."""
    assert SENT["Device Created or Updated"](DRY)["context"] == {
        "ip": "192.0.2.1",
        "device": {"token": "token", "type": "ios", "model": "m"},
    }


def test_relating_sets_the_relationships_attributes():
    """They would be set for the object, or nowhere."""
    call = DRY.relate("1", "acme", object_type_id=2, attributes={"role": "admin"})
    assert own(call) == {
        "type": "group",
        "userId": "1",
        "groupId": "acme",
        "traits": {"object_type_id": "2", "relationshipAttributes": {"role": "admin"}},
    }


def test_a_documented_event_in_each_of_its_ways_is_the_same_call():
    """The ways would differ, and a reader could not choose freely."""
    properties = {"order_id": "A-1", "total": 12.5, "mine": True}
    by_name = DRY.track("1", "Order Completed", properties)
    by_model = DRY.track("1", OrderCompleted, properties)
    sent = DRY.send(OrderCompleted(user_id="1", properties=properties))
    assert own(by_name) == own(by_model) == own(sent)
