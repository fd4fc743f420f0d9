"""Calls become messages: judged, with an id and a time, in the API's own words."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.client.message import CallRefusedError, fields_of, model_of, seal, seal_all
from pipeline.core.api.calls import Alias, Batch, CallBase, Identify, Track
from pipeline.core.api.catalogue import ENDPOINTS
from pipeline.core.api.check import check
from pipeline.core.api.ecommerce import OrderCompleted
from pipeline.core.api.limits import DEFAULT_LIMITS, Limits
from pipeline.core.api.vocabularies import VOCABULARIES

from ..core.api.conftest import calls_of  # noqa: TID252  tests are no package

WHO = {"userId": "1"}
CALLS = st.one_of([calls_of(model) for model in (*ENDPOINTS, *VOCABULARIES) if model is not Batch])


def test_it_gets_an_id_and_a_time():
    """Without them neither a repeat nor an order could be told."""
    message = seal(Identify, WHO, DEFAULT_LIMITS)
    call = json.loads(message.body)
    assert call["messageId"] == message.id
    assert len(message.id) == 26
    age = datetime.now(UTC) - datetime.fromisoformat(call["timestamp"])
    assert abs(age.total_seconds()) < 10


def test_ids_differ_and_sort_by_time():
    """Two calls with one id would count as one."""
    ids = [seal(Identify, WHO, DEFAULT_LIMITS).id for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert [id_[:10] for id_ in ids] == sorted(id_[:10] for id_ in ids)


def test_what_is_given_stays():
    """A caller's own id and time would be lost."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    fields = {**WHO, "messageId": "mine", "timestamp": moment, "traits": {"plan": None}}
    call = json.loads(seal(Identify, fields, DEFAULT_LIMITS).body)
    assert call == {
        "messageId": "mine",
        "timestamp": "2026-01-02T00:00:00Z",
        "type": "identify",
        "userId": "1",
        "traits": {"plan": None},
    }


def test_context_and_integrations_are_the_requests():
    """The API has them once a request: in the call's own bytes they might not count."""
    shared = {"context": {"ip": "192.0.2.1"}, "integrations": {"All": False}}
    message = seal(Track, {**WHO, "event": "e", **shared}, DEFAULT_LIMITS)
    assert json.loads(message.envelope) == shared
    assert not shared.keys() & json.loads(message.body).keys()


def test_a_documented_event_by_its_name_is_judged_by_its_model():
    """The client would take what `pipeline check` refuses."""
    fields = {**WHO, "event": "Order Completed", "properties": {"total": "much"}}
    with pytest.raises(CallRefusedError) as refused:
        seal(Track, fields, DEFAULT_LIMITS)
    assert [problem.field for problem in refused.value.problems] == ["properties.total"]
    assert "properties.total: must be a finite number" in str(refused.value)
    assert "much" not in str(refused.value)


def test_a_call_over_its_bytes_is_refused():
    """The API would answer 200 and drop it."""
    shared = {"context": {"ip": "192.0.2.1"}}
    size = len(seal(Track, {**WHO, "event": "e", **shared}, DEFAULT_LIMITS).body)
    with pytest.raises(CallRefusedError, match="over the limit"):
        seal(Track, {**WHO, "event": "e", **shared}, Limits(call_bytes=size))


def test_an_unknown_type_is_refused():
    """A call that no endpoint takes would be queued."""
    with pytest.raises(CallRefusedError, match="type"):
        model_of({"type": "buy", "userId": "1"}, DEFAULT_LIMITS)
    with pytest.raises(CallRefusedError, match="type"):
        model_of({"userId": "1"}, DEFAULT_LIMITS)


def test_a_batch_says_which_of_its_calls_are_refused():
    """Somebody with a thousand calls would look for the bad one."""
    good = {"type": "track", "userId": "1", "event": "e"}
    bad = {"type": "track", "userId": "1"}
    with pytest.raises(CallRefusedError) as refused:
        seal_all([good, bad, good, {"userId": "1"}], DEFAULT_LIMITS)
    assert [problem.field for problem in refused.value.problems] == [
        "batch[1].event",
        "batch[3].type",
    ]
    with pytest.raises(CallRefusedError, match="and 80 more") as many:
        seal_all([bad] * 100, DEFAULT_LIMITS)
    assert len(many.value.problems) == 100
    assert len(seal_all([good, Identify(user_id="1")], DEFAULT_LIMITS)) == 2
    with pytest.raises(TypeError, match=r"batch\[0\]: a call is a model or a mapping"):
        seal_all([5], DEFAULT_LIMITS)


@pytest.mark.parametrize(
    ("model", "fields", "names"),
    [
        (Alias, {"userId": "b", "previousId": "a"}, {"person:a", "person:b"}),
        (Track, {**WHO, "anonymousId": "x", "event": "e"}, {"person:1", "anonymous:x"}),
        (OrderCompleted, {**WHO, "properties": {"order_id": "1"}}, {"person:1"}),
    ],
)
def test_it_names_whom_it_is_about(model, fields, names):
    """Calls about one person could overtake each other."""
    assert set(seal(model, fields, DEFAULT_LIMITS).names) == names


@settings(max_examples=200, suppress_health_check=list(HealthCheck), deadline=None)
@given(call=CALLS)
def test_whatever_a_model_accepts_is_sent_as_it_is(call):
    """The client would lose, add or change a field of a call, in one of its two ways to take it."""
    call = {**call, "messageId": "1", "timestamp": "2026-01-31T08:30:00Z"}
    model = check(json.dumps(call).encode())
    assert isinstance(model, CallBase)
    written = json.loads(model.model_dump_json(exclude_unset=True))
    shared = {"context", "integrations"}  # of which a null is the same as nothing
    expected = {n: part for n, part in written.items() if n not in shared or part is not None}
    by_model = seal(type(model), fields_of(model), DEFAULT_LIMITS)
    by_words = seal(model_of(call, DEFAULT_LIMITS), call, DEFAULT_LIMITS)
    for message in (by_model, by_words):
        envelope = json.loads(message.envelope)
        sent = {name: part for name, part in envelope.items() if part is not None}
        assert {**json.loads(message.body), **sent} == expected
