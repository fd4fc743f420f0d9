"""The sandbox and the models hold each other: what either refuses, and what it takes."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.api.calls import CallBase
from pipeline.core.api.check import check_request
from pipeline.sandbox.config import Limits
from pipeline.sandbox.judge import Terms, Verdict, judge
from pipeline.sandbox.read import read

STRICT = Terms(limits=Limits(), strict=True, key_ok=True, suppressed=frozenset())
ALL = settings(max_examples=400, suppress_health_check=list(HealthCheck), deadline=None)

WRONG = st.sampled_from([None, 1, 1.5, True, [], ["a"], "", "2026-01-31", "2026-01-31T08:30:00"])
GONE = object()
IDS = {"userId", "anonymousId", "groupId", "messageId"}
OWN_TYPES = {"category"}
"""Fields that the specification doesn't have; the models know their type, the sandbox doesn't."""


def stricter(call: dict[str, Any], field: str) -> bool:
    """Whether this is one of the few things that the models alone refuse."""
    value = call.get(field)
    return (
        # An empty id beside another: the API takes it, and nobody means it.
        (field in IDS and value == "")
        # The endpoint says the type; a null in its place is a mistake.
        or (field == "type" and field in call and value is None)
        # What is documented of an event is a rule for the models, and not for the API.
        or (field == "properties" and value is None)
        or (field == "anonymousId" and call.get("event") == "Object Deleted")
        or field in OWN_TYPES
    )


def judged(endpoint: str, call: Any) -> Verdict:
    """What the sandbox says in strict mode."""
    body = {"batch": [call]} if endpoint == "batch" else call
    return judge(read(endpoint, json.dumps(body).encode()), STRICT)


def accepted(endpoint: str, call: Any) -> bool:
    """What the models say."""
    return isinstance(check_request(endpoint, json.dumps(call).encode()), CallBase)


@ALL
@given(data=st.data())
def test_what_a_model_accepts_is_applied(draw_call, data) -> None:
    """The models would let through what the API refuses or drops."""
    call = draw_call(data)
    endpoints = [call["type"]] if call["type"] == "alias" else [call["type"], "batch"]
    for endpoint in endpoints:
        verdict = judged(endpoint, call)
        assert verdict.status == 200, verdict.errors
        assert [arrival.dropped for arrival in verdict.arrivals] == [None]


@ALL
@given(data=st.data())
def test_what_the_sandbox_refuses_the_models_refuse_and_the_other_way_round(draw_call, data):
    """The two would have learnt different rules about ids, times, objects and required fields."""
    call = draw_call(data)
    field = data.draw(st.sampled_from(sorted(call)))
    value = data.draw(st.just(GONE) | WRONG)
    changed = {name: given for name, given in call.items() if name != field}
    if value is not GONE:
        changed[field] = value
    verdict = judged(call["type"], changed)
    taken = verdict.status == 200
    if taken and stricter(changed, field):
        return
    assert accepted(call["type"], changed) == taken, verdict.errors
