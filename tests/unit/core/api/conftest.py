"""Strategies for what the models take, made from their own JSON schemas."""

import json
from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from pipeline.core.api.calls import Batch
from pipeline.core.api.catalogue import ENDPOINTS
from pipeline.core.api.vocabularies import VOCABULARIES

IDS = {
    *("userId", "anonymousId", "groupId", "previousId", "messageId"),
    *("objectId", "token", "email_id", "event"),
}
TEXTS = st.text(max_size=12)
ID_TEXTS = st.text(min_size=1, max_size=20).filter(lambda text: bool(text.strip()))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMESTAMPS = st.datetimes(timezones=ZONES).map(
    lambda when: when.isoformat(timespec="milliseconds" if when.microsecond else "seconds")
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OWN_NAMES = st.text(min_size=1, max_size=8).map(lambda text: f"own {text}") | st.sampled_from(
    ["user_agent", "advertising_id", "object_type_id_", "created_at", "action_value"]
)
"""Names of one's own, also such as are a field's name in Python."""
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "integer": st.integers(-(2**53), 2**53),
    "number": st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "null": st.none(),
}


def json_of(schema: dict[str, Any], definitions: dict[str, Any], name: str = "") -> Any:
    """Any JSON that *schema* describes, and ids that are neither empty nor blank."""
    match schema:
        case {"$ref": str(reference)}:
            return json_of(definitions[reference.rsplit("/", 1)[-1]], definitions, name)
        case {"anyOf": list(variants)} | {"oneOf": list(variants)}:
            return st.one_of([json_of(variant, definitions, name) for variant in variants])
        case {"const": value}:
            return st.just(value)
        case {"enum": list(values)}:
            return st.sampled_from(values)
        case {"format": "date-time"}:
            return TIMESTAMPS
        case {"type": "array", "items": items}:
            return st.lists(
                json_of(items, definitions), min_size=schema.get("minItems", 0), max_size=3
            )
        case {"type": "object"}:
            return st.deferred(lambda: object_of(schema, definitions))
        case {"type": "string"} if name in IDS:
            return ID_TEXTS
        case {"type": str(kind)}:
            return KINDS[kind]
        case _:
            return VALUES


def object_of(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """An object with what it must have, some of what it may have, and names of one's own."""
    properties = schema.get("properties", {})
    required = {
        name
        for name, inner in properties.items()
        if name in schema.get("required", ()) or "const" in inner
    }
    fields = {name: json_of(inner, definitions, name) for name, inner in properties.items()}
    documented = st.fixed_dictionaries(
        {name: fields[name] for name in fields if name in required},
        optional={name: fields[name] for name in fields if name not in required},
    )
    more = schema.get("additionalProperties", False)
    if more is False:
        return documented
    values = VALUES if more is True else json_of(more, definitions)
    own = st.dictionaries(OWN_NAMES.filter(lambda name: name not in properties), values, max_size=2)
    return st.builds(joined, documented, own)


def joined(documented: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Both, without a name of one's own beside a null under its documented spelling.

    There the null is lost, as `Open` says, where nothing depends on it.
    """
    kept = {
        name: value for name, value in own.items() if documented.get(to_camel(name), 0) is not None
    }
    return {**kept, **documented}


def is_about_somebody(call: dict[str, Any]) -> bool:
    """The rules that a JSON schema does not say."""
    if call["type"] == "group" or call.get("event", "").startswith("Report "):
        return True
    ids = ("userId", "anonymousId", *(("groupId",) if call["type"] == "track" else ()))
    return any(call.get(name) is not None for name in ids)


def names_its_action(call: dict[str, Any]) -> bool:
    """A report about content needs one of two names; the schema knows neither as required."""
    if call.get("event") != "Report Content Event":
        return True
    return any(call["properties"].get(name) for name in ("actionType", "activityType"))


def calls_of(model: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Calls in JSON that *model* accepts."""
    schema = model.model_json_schema(by_alias=True)
    calls = json_of(schema, schema.get("$defs", {}))
    return calls.filter(is_about_somebody).filter(names_its_action).filter(fits)


def fits(call: dict[str, Any]) -> bool:
    """Within a call's bytes, and each trait within its own."""
    traits = call.get("traits") or {}
    sizes = [len(json.dumps(value)) for value in traits.values()]
    return len(json.dumps(call)) < 20_000 and max(sizes, default=0) < 900


@pytest.fixture(scope="session")
def draw_call() -> Callable[[st.DataObject], dict[str, Any]]:
    """Draw a call, plain or documented, that its model takes, as JSON."""
    models = [model for model in ENDPOINTS if model is not Batch]
    strategies = {model.__name__: calls_of(model) for model in (*models, *VOCABULARIES)}
    names = st.sampled_from(sorted(strategies))

    def draw(data: st.DataObject) -> dict[str, Any]:
        return data.draw(strategies[data.draw(names)])

    return draw
