"""Requests to erase: whom they name, and what they say to the destination."""

import json
from datetime import UTC, datetime

import pytest

from pipeline.core.api.check import check
from pipeline.core.erasure import EntityError, parse_entity, request_call, request_id

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("p1", "person:p1"),
        ("person:p1", "person:p1"),
        ("ann:b@example.com", "person:ann:b@example.com"),
        ("object:2:acme:eu", "object:2:acme:eu"),
    ],
)
def test_an_entity_is_spelt_as_drafts_spell_it(text, spelt):
    """Its hash would be another, and nobody would be found."""
    assert str(parse_entity(text)) == spelt


@pytest.mark.parametrize("text", ["", "  ", "object:acme", "object:1:", "object::x"])
def test_what_names_nobody_is_refused(text):
    """A slip would erase nobody, and say that it did."""
    with pytest.raises(EntityError):
        parse_entity(text)


def test_a_request_is_one_message_however_often_it_is_repeated():
    """A repeated command would send a second deletion, or an id that the API does not take."""
    one, other = (request_id(c, NOON, bytes(32)) for c in ("a", "b"))
    assert one == request_id("a", NOON, bytes(32)) != other
    assert len(one) == 26


@pytest.mark.parametrize(
    ("entity", "wanted", "event"),
    [
        ("p1", "delete", "User Deleted"),
        ("p1", "suppress", "User Suppressed"),
        ("p1", "unsuppress", "User Unsuppressed"),
        ("object:1:acme", "delete", "Object Deleted"),
    ],
)
def test_the_call_is_what_the_api_takes(entity, wanted, event):
    """The destination would refuse the deletion."""
    message_id = request_id("a", NOON, bytes(32))
    call = json.loads(request_call(parse_entity(entity), wanted, message_id, NOON))
    assert call["event"] == event
    assert call["messageId"] == message_id
    assert not isinstance(check(call), tuple), check(call)


def test_an_object_cannot_be_suppressed():
    """Customer.io has no such call."""
    with pytest.raises(EntityError, match="only people"):
        request_call(parse_entity("object:1:a"), "suppress", "m", NOON)
