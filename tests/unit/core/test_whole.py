"""Calls that rows hold whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.api.check import check
from pipeline.core.api.limits import DEFAULT_LIMITS
from pipeline.core.draft import NO_ID
from pipeline.core.whole import WholePolicy, judge

POLICY = WholePolicy(limits=DEFAULT_LIMITS, envelope={"integrations": {"All": True}})
MOMENT = "2026-01-31T08:30:00.000Z"
TRACK = {"type": "track", "userId": "ann", "event": "Paid", "properties": {"total": 1.5, "x": None}}


def judged(call, person="ann"):
    text = call if isinstance(call, str) or call is None else json.dumps(call)
    return judge(text, person, MOMENT, POLICY)


def test_a_call_keeps_what_it_says():
    """A property would be lost on the way, or a null that means something."""
    found = judged(TRACK | {"messageId": "mine"})
    assert found.body.startswith(NO_ID)
    assert found.body.endswith(",")
    body = json.loads(found.body[:-1])
    del body["messageId"]
    assert body == TRACK | {"timestamp": MOMENT}
    assert (found.call_type, found.event, found.envelope, found.problem) == (
        "track", "Paid", None, None,
    )  # fmt: skip


def test_its_own_time_stays():
    """Events would be dated by when they were written down."""
    found = judged(TRACK | {"timestamp": "2020-01-01T00:00:00Z"})
    assert json.loads(found.body[:-1])["timestamp"] == "2020-01-01T00:00:00Z"


def test_its_own_context_stands_beside_the_feeds_integrations():
    """A call with a context would lose what the feed says for all, or the context itself."""
    found = judged(TRACK | {"context": {"ip": "1.2.3.4"}})
    assert "context" not in json.loads(found.body[:-1])
    assert json.loads(found.envelope) == {
        "context": {"ip": "1.2.3.4"},
        "integrations": {"All": True},
    }


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (None, "call_missing call"),
        ("  ", "call_missing call"),
        ("{", "call_not_json call"),
        ("[]", "call_not_json call"),
        ({"type": "tarck"}, "call_refused type: "),
        (TRACK | {"userId": "bob"}, "entity_differs userId"),
        (TRACK | {"event": None}, "call_refused event: "),
        (TRACK | {"user_id": "ann"}, "call_refused user_id: "),
        ('{"type":"track","userId":"ann","event":"x","properties":{"n":NaN}}', "call_refused "),
        ({"type": "track", "userId": "ann", "event": "Device Deleted"}, "call_refused context: "),
    ],
)
def test_what_cannot_be_sent_is_refused(call, problem):
    """The API would refuse the whole batch, or take the call for somebody else's."""
    found = judged(call)
    assert found.problem.startswith(problem)
    assert found.body is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["traits", "properties", "anonymousId", "name"]), JSON))
def test_what_is_let_through_the_models_take(parts):
    """A made-up call would be sent although the API refuses it."""
    found = judged({"type": "page", "userId": "ann", **parts})
    if found.problem is None:
        body = json.loads(found.body[:-1])
        del body["messageId"]
        assert not isinstance(check(body), tuple)
