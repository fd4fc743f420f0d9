"""A call that a row holds whole, as JSON: judged by the API's models, and made a draft's body."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic_core import from_json

from pipeline.core.api.check import check
from pipeline.core.api.limits import Limits
from pipeline.core.draft import NO_ID

ENVELOPE_PARTS: Final = ("context", "integrations")


@dataclass(frozen=True, slots=True, kw_only=True)
class WholePolicy:
    """What judging needs beside the row."""

    limits: Limits
    envelope: Mapping[str, Any]
    """The feed's constant `context` and `integrations`; a call's own parts win over them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The columns of a draft that its call decides."""

    body: str | None = None
    call_type: str | None = None
    event: str | None = None
    envelope: str | None = None
    """JSON of `context` and `integrations`, where the call has one of its own."""
    problem: str | None = None
    """`<reason> <detail>`: why the API would not take it."""


def judge(text: str | None, person: str | None, moment: str | None, policy: WholePolicy) -> Judged:
    """The call in *text*, which must be about *person* where it names one.

    Its own `messageId` is left out, since ids are made of the row's key; without a `timestamp` it
    gets *moment*.
    """
    if text is None or not text.strip():
        return Judged(problem="call_missing call")
    try:
        call = from_json(text)
    except ValueError:
        return Judged(problem="call_not_json call")
    if not isinstance(call, dict):
        return Judged(problem="call_not_json call")
    call.pop("messageId", None)
    if call.get("timestamp") is None:
        call["timestamp"] = moment
    own = {name: call[name] for name in ENVELOPE_PARTS if call.get(name)}
    if own:
        own = {**policy.envelope, **own}
    call_type, event = _text(call.get("type")), _text(call.get("event"))
    if (problem := _problem({**call, **own}, person, policy.limits)) is not None:
        return Judged(call_type=call_type, event=event, problem=problem)
    rest = {name: value for name, value in call.items() if name not in ENVELOPE_PARTS}
    return Judged(
        body=f"{NO_ID}{_json(rest)[1:]},",
        call_type=call_type,
        event=event if call_type == "track" else None,
        envelope=_json(own) if own else None,
    )


def _problem(call: Mapping[str, Any], person: str | None, limits: Limits) -> str | None:
    """Why it cannot be sent; its size as a whole is judged where it is sealed."""
    roomy = replace(limits, call_bytes=limits.batch_bytes)
    found = check(call, roomy)
    if isinstance(found, tuple):
        one = found[0]
        return f"call_refused {one.field or 'call'}: {one.reason}"
    user = call.get("userId")
    if person is not None and user is not None and user != person:
        return "entity_differs userId"
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
