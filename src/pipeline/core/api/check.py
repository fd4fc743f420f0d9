"""Would the API take this call? The call as a model, or every problem that was found."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, assert_never

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from pipeline.core.api.calls import Alias, Batch, Call, Group, Identify, Page, Screen, Track
from pipeline.core.api.common import API, Closed
from pipeline.core.api.events import Event
from pipeline.core.api.limits import DEFAULT_LIMITS, Limits
from pipeline.core.api.problem import Problem, explain
from pipeline.core.api.vocabularies import EVENTS

AnyCall = Identify | Track | Event | Page | Screen | Group | Alias
"""A call that was accepted; a documented event comes as its own model."""
Problems = tuple[Problem, ...]

MODELS: Final[Mapping[str, type[Closed]]] = {
    "identify": Identify,
    "track": Track,
    "page": Page,
    "screen": Screen,
    "group": Group,
    "alias": Alias,
    "batch": Batch,
}
"""The endpoints and what each takes."""

_CALL: Final[TypeAdapter[Call]] = TypeAdapter(Call)


def check(call: bytes | Mapping[str, Any], limits: Limits = DEFAULT_LIMITS) -> AnyCall | Problems:
    """The model of *call*, or its problems. A mapping is judged as the JSON it becomes."""
    match call:
        case bytes():
            body = call
        case Mapping():
            try:
                body = json.dumps(call, ensure_ascii=False, separators=(",", ":")).encode()
            except (TypeError, ValueError, RecursionError) as error:
                return (_not_json(error),)
        case _:
            assert_never(call)
    return _check_bytes(body, limits)


def check_line(line: bytes, limits: Limits = DEFAULT_LIMITS) -> Problems:
    """The problems of one line of NDJSON, none when the API would take it. Never raises.

    A blank line is no call: it is refused like any other text that is not JSON.
    """
    result = _check_bytes(line.strip(), limits)
    return result if isinstance(result, tuple) else ()


def check_request(
    endpoint: str, body: bytes, limits: Limits = DEFAULT_LIMITS
) -> AnyCall | Batch | Problems:
    """Judge the body of a request to *endpoint*, which says the `type` where the body doesn't.

    Raises:
        ValueError: there is no such endpoint.
    """
    if endpoint not in MODELS:
        raise ValueError(f"no endpoint {endpoint!r}; there are {', '.join(MODELS)}")
    if endpoint == "batch":
        return _check_batch(body, limits)
    call = _decoded(body)
    if call is None or call.get("type") == endpoint:
        return _check_bytes(body, limits)
    if "type" not in call:
        call["type"] = endpoint
        result = _check_bytes(_encoded(call), _widened(limits))
        size = _over_size(body, limits.call_bytes, "a call")
        return (*size, *result) if isinstance(result, tuple) else size or result
    problem = Problem(
        stage="validate",
        field="type",
        reason=f"does not belong to the endpoint {endpoint}",
        found="another type",
        expected=endpoint,
        page=API,
    )
    return (problem,)


def over_size(size: int, limit: int, what: str = "a call") -> Problem:
    """The problem of *size* bytes where *limit* are taken."""
    return Problem(
        stage="size",
        field="",
        reason=f"{what} of {size} bytes is over the limit of {limit}",
        found=f"{size} bytes",
        expected=f"at most {limit} bytes",
        page=API,
    )


def _check_bytes(body: bytes, limits: Limits) -> AnyCall | Problems:
    size = _over_size(body, limits.call_bytes, "a call")
    try:
        call: AnyCall = _CALL.validate_json(body, by_name=False, context=limits)
        if isinstance(call, Track) and (event := EVENTS.get(call.event)) is not None:
            call = event.model_validate_json(body, context=limits)
    except ValidationError as error:
        return (*size, *_explained(error, body, limits))
    return size or call


def _check_batch(body: bytes, limits: Limits) -> Batch | Problems:
    problems = [*_over_size(body, limits.batch_bytes, "a batch")]
    calls = (_decoded(body) or {}).get("batch")
    try:
        batch = Batch.model_validate_json(body, context=limits)
    except ValidationError as error:
        if not isinstance(calls, list) or not calls:
            return (*problems, *explain(error, Batch))
        problems += explain(error, Batch, without="batch")
        for place, call in enumerate(calls):
            problems += _within(place, call, limits)
        return tuple(problems) or tuple(explain(error, Batch))
    for place, (call, model) in enumerate(zip(calls or (), batch.batch, strict=True)):
        documented = isinstance(model, Track) and model.event in EVENTS
        if documented or len(_encoded(call)) > limits.call_bytes:
            problems += _within(place, call, limits)
    return tuple(problems) or batch


def _within(place: int, call: object, limits: Limits) -> Iterator[Problem]:
    """The problems of one call of a batch, with its place in their fields."""
    result = _check_bytes(_encoded(call), limits)
    if isinstance(result, Alias):
        result = (
            Problem(
                stage="validate",
                field="type",
                reason="an alias is not taken in a batch: send it alone",
                found="alias",
                expected="one of identify, track, page, screen, group",
                page=API,
            ),
        )
    at = f"batch[{place}]"
    for problem in result if isinstance(result, tuple) else ():
        yield replace(problem, field=f"{at}.{problem.field}" if problem.field else at)


def _explained(error: ValidationError, body: bytes, limits: Limits) -> Iterator[Problem]:
    """The problems by the model that the call was meant for: its event's, where it has one."""
    call = _decoded(body) or {}
    kind, name = call.get("type"), call.get("event")
    model = MODELS.get(kind) if isinstance(kind, str) else None
    if model is Track and isinstance(name, str) and name in EVENTS:
        model = EVENTS[name]
    if model is None or model is Batch:
        yield from explain(error, None)
        return
    try:
        model.model_validate_json(body, context=limits)
    except ValidationError as own:
        yield from explain(own, model)
    else:
        yield from explain(error, model)


def _over_size(body: bytes, limit: int, what: str) -> Problems:
    return () if len(body) <= limit else (over_size(len(body), limit, what),)


def _not_json(error: Exception) -> Problem:
    return Problem(
        stage="decode",
        field="",
        reason=f"has no form in JSON ({type(error).__name__})",
        found="a Python object",
        expected="text, numbers, booleans, null, lists and objects",
        page=API,
    )


def _decoded(body: bytes) -> dict[str, Any] | None:
    try:
        value = from_json(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _encoded(value: object) -> bytes:
    # Non-finite numbers stay what they are, so that the models refuse them.
    return to_json(value, inf_nan_mode="constants")


def _widened(limits: Limits) -> Limits:
    """The same limits with room for the `type` that the body left to its endpoint."""
    return replace(limits, call_bytes=limits.batch_bytes)
