"""Look through free values: what JSON can't carry, and attributes over the limits.

These run once a call and do nothing but compare, since most of the time nothing is wrong.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import isfinite
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import InitErrorDetails, PydanticCustomError, to_json

from pipeline.core.api.limits import Limits

Place = tuple[int | str, ...]
"""Where a value stands below the model that reports it."""

DEPTH_MAX: Final = 200
"""Nesting that the JSON parser takes; beyond it a value could be a circle."""
DIGITS_PER_BIT: Final = 0.30103
BYTES_PER_CHARACTER: Final = 4
"""The most that UTF-8 takes: a text is worth measuring only when this many could be too many."""


def refusal(
    kind: str, reason: str, path: Place, value: object, **context: object
) -> InitErrorDetails:
    """One refusal in pydantic's own form, at *path* below the model that reports it."""
    return InitErrorDetails(
        type=PydanticCustomError(kind, reason, context or None),
        loc=path,
        input=value,
    )


def over_bytes(
    text: str, limit: int, path: Place, what: str, found: list[InitErrorDetails]
) -> None:
    """Refuse *text* when its UTF-8 is longer than *limit*."""
    if len(text) * BYTES_PER_CHARACTER <= limit:
        return
    size = len(text) if text.isascii() else len(text.encode(errors="replace"))
    if size > limit:
        reason = "{what} of {size} bytes is over the limit of {limit}"
        found.append(
            refusal("too_many_bytes", reason, path, text, what=what, size=size, limit=limit)
        )


class TooDeepError(Exception):
    """A value is nested deeper than JSON may be, or contains itself: looking on is pointless."""

    def __init__(self, refused: InitErrorDetails) -> None:
        super().__init__("nested too deep")
        self.refused = refused


def refuse_values(
    values: Mapping[str, Any], path: Place, found: list[InitErrorDetails], *, parsed: bool
) -> None:
    """Refuse what JSON has no form for, at any depth: non-finite numbers, other types.

    *parsed* says that the values were read from JSON text, where only a number can be wrong.

    Raises:
        TooDeepError: nested too deep; it carries the refusal.
    """
    if parsed and finite(values.values()):
        return
    for name, value in values.items():
        refuse_value(value, (*path, name), found)
        if not (isinstance(name, str) and encodes(name)):
            found.append(refusal("not_json", "a name must be a text", path, name))


def finite(values: Iterable[Any]) -> bool:
    """Whether every number in *values*, read from JSON, is finite. Runs once a call: keep it lean.

    The parser reads NaN and Infinity, and 1e999 as infinite.
    """
    for value in values:
        kind = type(value)
        if kind is str or kind is int or kind is bool or value is None:
            continue
        if kind is float:
            if not isfinite(value):
                return False
        elif kind is dict:
            if not finite(value.values()):
                return False
        elif kind is list or kind is tuple:
            if not finite(value):
                return False
        elif not (isinstance(value, BaseModel) and finite(parts(value).values())):
            return False
    return True


def refuse_value(value: object, path: Place, found: list[InitErrorDetails]) -> None:
    """Refuse one value that is no plain number or ASCII text; look into what has parts."""
    match value:
        case str():
            if not encodes(value):
                found.append(refusal("not_json", "a lone surrogate is no text", path, value))
        case float():
            if not isfinite(value):
                reason = "a number must be finite: JSON has no NaN and no Infinity"
                found.append(refusal("not_finite", reason, path, value))
        case int() | None:
            pass
        case _ if len(path) > DEPTH_MAX:
            reason = f"is nested deeper than {DEPTH_MAX} levels"
            raise TooDeepError(refusal("too_deep", reason, path[:3], None))
        case BaseModel():
            refuse_values(parts(value), path, found, parsed=False)
        case Mapping():
            refuse_values(value, path, found, parsed=False)
        case list() | tuple():
            refuse_items(value, path, found)
        case _:
            reason = "a value must be JSON: text, number, boolean, null, list or object"
            found.append(refusal("not_json", reason, path, value))


def refuse_items(items: Sequence[object], path: Place, found: list[InitErrorDetails]) -> None:
    """Refuse the items of a list as values."""
    for place, item in enumerate(items):
        refuse_value(item, (*path, place), found)


def refuse_attributes(
    attributes: Mapping[str, Any], path: Place, limits: Limits, found: list[InitErrorDetails]
) -> None:
    """Refuse more attributes than the limit, and names and values that are too long."""
    count, limit = len(attributes), limits.attributes
    if count > limit:
        reason = "{count} attributes are over the limit of {limit}"
        found.append(
            refusal("too_many_attributes", reason, path, attributes, count=count, limit=limit)
        )
    for name, value in attributes.items():
        at = (*path, name)
        over_bytes(name, limits.attribute_name_bytes, at, "an attribute's name", found)
        match value:
            case None | bool() | float():
                continue
            case str():
                over_bytes(value, limits.attribute_value_bytes, at, "an attribute's value", found)
            case int():
                if value.bit_length() * DIGITS_PER_BIT > limits.attribute_value_bytes:
                    over_bytes(
                        str(value), limits.attribute_value_bytes, at, "an attribute's value", found
                    )
            case _:
                text = json_text(value)
                over_bytes(text, limits.attribute_value_bytes, at, "an attribute's value", found)


def parts(model: BaseModel) -> dict[str, Any]:
    """What was set in *model*, by the API's names, one level deep; timestamps as text."""
    present = dict(model.model_extra or {})
    values = model.__dict__
    for name, field in type(model).model_fields.items():
        if name in model.model_fields_set:
            value = values[name]
            present[field.alias or name] = (
                value.isoformat() if isinstance(value, datetime) else value
            )
    return present


def json_text(value: object) -> str:
    """*value* as JSON, or nothing where it has no such form (which is refused elsewhere)."""
    try:
        if isinstance(value, BaseModel):
            return value.model_dump_json(by_alias=True, exclude_unset=True)
        return to_json(value).decode()
    except ValueError:
        return ""


def encodes(text: str) -> bool:
    """Whether *text* has a form in UTF-8: a lone surrogate has none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
