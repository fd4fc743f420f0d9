"""Make a call a message: judged by its model, with an id and a time, as the bytes that are sent."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from pipeline.core.api.calls import Alias, CallBase, Group, PersonCall, Track, TrackBase
from pipeline.core.api.check import MODELS, check, over_size
from pipeline.core.api.limits import Limits
from pipeline.core.api.problem import Problem, explain
from pipeline.core.api.reserved import (
    DeviceCreatedOrUpdated,
    DeviceDeleted,
    ObjectDeleted,
    ObjectEvent,
)
from pipeline.core.api.vocabularies import EVENTS
from pipeline.core.ids import ulid

SHOWN: Final = 20
"""Problems that an error prints; all are in `problems`."""
NO_ENVELOPE: Final = b"{}"
SHARED: Final = {"context", "integrations"}
"""What the API has once a request, so that it is no part of a call's own bytes."""
GOES_ALONE: Final = (Alias, DeviceCreatedOrUpdated, DeviceDeleted)
"""A batch takes no alias, and has no place for the device of one of its calls."""


class CallRefusedError(ValueError):
    """A call that the API would not take; nothing was sent. `problems` says why."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        lines = [
            f"  {problem.field or 'the call'}: {problem.reason}"
            f" (found {problem.found}, expected {problem.expected}; {problem.page})"
            for problem in problems[:SHOWN]
        ]
        if len(problems) > SHOWN:
            lines.append(f"  and {len(problems) - SHOWN:,} more")
        super().__init__("\n".join(["the API would not take this call:", *lines]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A call that is ready to be sent."""

    id: str
    call_type: str
    event: str | None
    alone: bool
    """Goes to its own endpoint, not into a batch."""
    names: tuple[str, ...]
    """Whom and what it names: calls that share one are sent in order."""
    envelope: bytes
    """JSON object of its `context` and `integrations`."""
    body: bytes
    """The rest of the call, as compact JSON."""


def seal(model: type[CallBase], fields: Mapping[str, Any], limits: Limits) -> Message:
    """A message of *fields*, by the names of the API; with id and time where none is given.

    Raises:
        CallRefusedError: the API would not take it.
    """
    given = dict(fields)
    now = datetime.now(UTC)
    if given.get("timestamp") is None:
        given["timestamp"] = now
    if given.get("messageId") is None:
        given["messageId"] = ulid(int(now.timestamp() * 1000), secrets.token_bytes(10))
    model = documented(model, given)
    try:
        call = model.model_validate(given, by_name=False, context=limits)
    except ValidationError as error:
        raise CallRefusedError(tuple(explain(error, model))) from None
    message = written(call)
    size = len(message.body) + len(message.envelope) - 1
    if size > limits.call_bytes:
        raise CallRefusedError((over_size(size, limits.call_bytes),))
    return message


def fields_of(call: CallBase) -> dict[str, Any]:
    """What was set in a call, by the names of the API."""
    return {to_camel(name): getattr(call, name) for name in call.model_fields_set}


def model_of(call: Mapping[str, Any], limits: Limits) -> type[CallBase]:
    """The model for a call in the API's own words.

    Raises:
        CallRefusedError: its `type` is none of the API's.
    """
    model = MODELS.get(str(call.get("type")))
    if model is None or not issubclass(model, CallBase):
        problems = check(call, limits)
        raise CallRefusedError(problems if isinstance(problems, tuple) else ())
    return model


def seal_all(calls: Iterable[CallBase | Mapping[str, Any]], limits: Limits) -> list[Message]:
    """Messages of calls as models or in the API's own words: of all of them, or of none.

    Raises:
        CallRefusedError: the API would not take some; each problem says which.
        TypeError: one is neither a model nor a mapping.
    """
    messages: list[Message] = []
    problems: list[Problem] = []
    for place, call in enumerate(calls):
        at = f"batch[{place}]"
        try:
            match call:
                case CallBase():
                    messages.append(seal(type(call), fields_of(call), limits))
                case Mapping():
                    messages.append(seal(model_of(call, limits), call, limits))
                case _:
                    raise TypeError(
                        f"{at}: a call is a model or a mapping, not {type(call).__name__}"
                    )
        except CallRefusedError as refused:
            problems += (
                replace(problem, field=f"{at}.{problem.field}" if problem.field else at)
                for problem in refused.problems
            )
    if problems:
        raise CallRefusedError(tuple(problems))
    return messages


def documented(model: type[CallBase], fields: Mapping[str, Any]) -> type[CallBase]:
    """The model of a documented event where the call is one of those, as `check` has it."""
    return EVENTS.get(str(fields.get("event")), model) if model is Track else model


def written(call: CallBase) -> Message:
    """A judged call as the bytes that are sent."""
    shared = call.context is not None or call.integrations is not None
    return Message(
        id=call.message_id or "",
        call_type=str(getattr(call, "type", "")),
        event=call.event if isinstance(call, TrackBase) else None,
        alone=isinstance(call, GOES_ALONE),
        names=tuple(names(call)),
        envelope=_json(call, include=SHARED) if shared else NO_ENVELOPE,
        body=_json(call, exclude=SHARED),
    )


def names(call: CallBase) -> list[str]:
    """Whom and what a call names; for a person, either id."""
    found: list[str] = []
    if isinstance(call, PersonCall):
        if call.user_id is not None:
            found.append(f"person:{call.user_id}")
        if call.anonymous_id is not None and not isinstance(call, ObjectDeleted):
            found.append(f"anonymous:{call.anonymous_id}")
    match call:
        case Alias():
            found += [f"person:{call.user_id}", f"person:{call.previous_id}"]
        case Group():
            kind = call.traits.object_type_id if call.traits is not None else None
            found.append(f"object:{kind or 1}:{call.group_id}")
        case ObjectEvent(properties=about):
            found.append(f"object:{about.object_type_id or 1}:{about.object_id}")
        case TrackBase(group_id=str(group)):
            found.append(f"object:1:{group}")
        case _:
            pass
    return found


def _json(call: CallBase, **which: Any) -> bytes:
    return call.model_dump_json(by_alias=True, exclude_unset=True, **which).encode()
