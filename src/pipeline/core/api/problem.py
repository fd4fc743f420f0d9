"""Say what is wrong with a call in words that a data engineer can act upon.

A problem names types and sizes and never quotes a value: it may be logged and stored.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from pipeline.core.api.common import API, COMMON_FIELDS, Closed

Stage = Literal["decode", "validate", "size"]

TRACK_LIMITS: Final = "https://docs.customer.io/integrations/api/track/"
"""Where the limits of ids, names and attributes are published."""
SET_BY_SERVER: Final = frozenset({"receivedAt", "version"})
FIELD_LENGTH_MAX: Final = 200
SIMPLE_NAME: Final = re.compile(r"[\w$-]+\Z")

EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "a text",
    "string_unicode": "a text of valid Unicode",
    "bool_type": "true or false",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "tuple_type": "a list",
    "timestamp": "an ISO 8601 timestamp with a zone",
    "blank": "a text that is neither empty nor blank",
    "number": "a finite number",
    "integer": "a whole number",
    "preference": "true, false, null or an empty text",
    "not_finite": "a finite number",
    "not_json": "a value of JSON",
    "no_person": "an id",
    "no_action": "viewed_content or clicked_content",
    "too_deep": "fewer levels",
    "too_short": "at least one call",
}
"""What would have been right, by the kind of refusal."""

OWN_WORDS: Final = frozenset(
    {
        *("timestamp", "blank", "number", "integer", "preference"),
        *("not_finite", "not_json", "no_person", "no_action", "too_deep"),
    }
)
"""Refusals that the models have worded themselves; pydantic's are worded here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One reason for which a call would not be accepted."""

    stage: Stage
    """`decode`: no JSON object. `validate`: no call of the API. `size`: over a limit in bytes."""
    field: str
    """Where, such as `properties.products[0].price`; empty for the call as a whole."""
    reason: str
    """What is wrong, without any value of the call."""
    found: str
    """The type and size of what is there."""
    expected: str
    """What would be accepted."""
    page: str
    """The page of the documentation that says so."""


def explain(
    error: ValidationError, model: type[Closed] | None, without: str = ""
) -> Iterator[Problem]:
    """Each refusal of *error* as a problem, but for those in the field *without*.

    *model* is the kind of call, where that is known.
    """
    for detail in error.errors(include_url=False):
        if not without or detail["loc"][:1] != (without,):
            yield explain_one(detail, model)


def explain_one(detail: ErrorDetails, model: type[Closed] | None) -> Problem:
    """One refusal as a problem."""
    kind, place, value = detail["type"], detail["loc"], detail["input"]
    context = detail.get("ctx", {})
    field, found, page = path(place), describe(value), model.page if model else API
    match kind:
        case "json_invalid":
            reason = f"is not JSON: {context.get('error', 'it ends too early')}"
            return Problem(
                stage="decode", field="", reason=reason, found="bytes", expected="JSON", page=API
            )
        case "model_type" | "model_attributes_type" | "dict_type" if not place:
            reason = f"is not a JSON object, but {found}"
            return Problem(
                stage="decode", field="", reason=reason, found=found, expected="an object", page=API
            )
        case "union_tag_not_found":
            field, found, reason = "type", "nothing", "is required but missing"
            expected = "one of identify, track, page, screen, group, alias"
        case "union_tag_invalid":
            field, found = "type", describe(value["type"] if isinstance(value, dict) else value)
            expected = f"one of {context['expected_tags']}"
            reason = f"is not a type of call: {expected}"
        case "missing":
            found, reason, expected = "nothing", "is required but missing", "a value"
        case "extra_forbidden":
            expected, reason = "no such field", refuse_name(str(place[-1]), model)
            page = COMMON_FIELDS
        case "literal_error":
            expected = f"one of {context['expected']}"
            reason = f"must be {expected}, but is {found}"
        case "too_many_bytes" | "too_many_attributes":
            reason, page = detail["msg"], TRACK_LIMITS
            expected = f"at most {context['limit']}"
            stage: Stage = "size" if kind == "too_many_bytes" else "validate"
            return Problem(
                stage=stage, field=field, reason=reason, found=found, expected=expected, page=page
            )
        case _:
            expected = EXPECTED.get(kind, "another value")
            own = detail["msg"] if kind in OWN_WORDS else ""
            reason = own or f"must be {expected}, but is {found}"
    return Problem(
        stage="validate", field=field, reason=reason, found=found, expected=expected, page=page
    )


def refuse_name(name: str, model: type[Closed] | None) -> str:
    """Why a name at the top of a call is none of the API's, with the name that was meant."""
    fields = model.model_fields if model else {}
    if name in SET_BY_SERVER:
        return "is set by Customer.io: leave it out"
    if to_camel(name) in {field.alias for field in fields.values()}:
        return f"is not a name of the API: write {to_camel(name)}"
    for home in ("properties", "traits"):
        if home in fields:
            return f"is not a field of this call: what is your own goes into {home}"
    return "is not a field of this call: leave it out"


def path(place: Sequence[int | str]) -> str:
    """A place as people write it: `properties.products[0].price`."""
    text = ""
    for step in place:
        match step:
            case int():
                text += f"[{step}]"
            case str() if SIMPLE_NAME.match(step):
                text += f".{step}" if text else step
            case _:
                text += f"[{json.dumps(step)}]"
    return text if len(text) <= FIELD_LENGTH_MAX else f"{text[:FIELD_LENGTH_MAX]}..."


def describe(value: Any) -> str:
    """The type and size of *value*, and nothing that is in it."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return f"a text of {len(value.encode(errors='replace'))} bytes"
        case Mapping():
            return f"an object of {len(value)} names"
        case list() | tuple():
            return f"a list of {len(value)}"
        case _:
            return f"a Python {type(value).__name__}"
