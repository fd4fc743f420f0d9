"""The models against the specification files: name by name, property by property."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.api import catalogue
from pipeline.core.api.catalogue import Entry
from pipeline.core.api.differences import DIFFERENCES, Difference
from pipeline.core.api.vocabularies import EVENTS

SPECIFICATIONS = Path(
    os.environ.get("PIPELINE_SPEC_DIR", Path(__file__).parents[5] / "shared" / "spec")
)
SCHEMAS = {
    "Device Created or Updated": "create_update_device",
    "Device Deleted": "delete_device",
    "User Deleted": "delete_person",
    "User Suppressed": "suppress_person",
    "User Unsuppressed": "unsuppress_person",
    "Object Deleted": "group_deleted",
}
"""Events whose schema is not called like them."""
PREFIXES = {"Email": ("email_", "email_event_"), "Application": ("application_", "app_")}
WHOLE_CALLS = {"Customer.io", "Mobile app", "Email"}
"""Vocabularies whose schemas describe the call; the others describe its properties."""
NO_EVENT = {
    *("experiment", "product", "products", "product_id", "promotion", "checkout", "category"),
    *("checkout_step", "list_id", "filters", "sorts", "method", "playback", "content_asset"),
    *("content_assets", "content_general", "ad_general", "live_chat_general"),
    *("email_properties", "email_basic_context", "email_total_context"),
    *("app_event_call_type", "app_event_userId", "app_event_anonymousId"),
    *("app_name", "app_namespace", "app_build", "app_version"),
}
"""Schemas that only lend their parts to events."""

Found = dict[str, tuple[str, bool, tuple[str, ...]]]


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    """The specification files by name; without them there is nothing to compare with."""
    files = sorted(SPECIFICATIONS.glob("*.json")) if SPECIFICATIONS.is_dir() else []
    if not files:
        pytest.skip(f"no specification in {SPECIFICATIONS}; set PIPELINE_SPEC_DIR")
    return {file.stem: json.loads(file.read_text()) for file in files}


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def members(
    document: dict[str, Any], schema: dict[str, Any]
) -> tuple[dict[str, list[dict[str, Any]]], set[str]]:
    """The properties of an object with their schemas, and which every variant requires."""
    schema = resolved(document, schema)
    properties = {name: [inner] for name, inner in schema.get("properties", {}).items()}
    own = schema.get("required", [])
    required = set(own if isinstance(own, list) else [])
    for part in schema.get("allOf", []):
        inner, needed = members(document, part)
        required |= needed
        for name, schemas in inner.items():
            properties.setdefault(name, []).extend(schemas)
    variants = [members(document, part) for part in schema.get("oneOf", schema.get("anyOf", []))]
    for inner, _ in variants:
        for name, schemas in inner.items():
            properties.setdefault(name, []).extend(schemas)
    if variants:
        required |= set.intersection(*(needed for _, needed in variants))
    return properties, required


def fields(document: dict[str, Any], schemas: list[dict[str, Any]], prefix: str) -> Iterator[Any]:
    """The fields of an object, at any depth, in the catalogue's form."""
    merged = [members(document, schema) for schema in schemas]
    names = list(dict.fromkeys(name for properties, _ in merged for name in properties))
    for name in names:
        inner = [
            resolved(document, schema)
            for properties, _ in merged
            for schema in properties.get(name, [])
        ]
        path = f"{prefix}{name}"
        required = all(name in needed for properties, needed in merged if name in properties)
        if any("items" in schema for schema in inner):
            path += "[]"
            inner = [resolved(document, s["items"]) for s in inner if "items" in s]
        kinds = {
            schema.get("format") or schema.get("type", "object")
            for schema in inner
            if "type" in schema or "allOf" in schema or "oneOf" in schema or "anyOf" in schema
        }
        values = {value for schema in inner for value in schema.get("enum", [])}
        yield path, (" or ".join(sorted(kinds)), required, tuple(sorted(values)))
        yield from fields(document, inner, f"{path}.")


def compare(entry: Entry, found: Found, *, whole: bool) -> set[tuple[str, str, str]]:
    """How an entry differs from the specification: subject, field and what of it."""
    ours = {field.path: field for field in entry.fields}
    own = {field.path for field in entry.own}
    differences = {
        (entry.name, path, "only in the models")
        for path in (ours if whole else own)
        if path not in found
    }
    for path, (kind, required, values) in found.items():
        if path not in ours:
            differences.add((entry.name, path, "only in the specification"))
            continue
        field = ours[path]
        if field.kind != kind:
            differences.add((entry.name, path, f"{field.kind}, not {kind}"))
        # The models bring type and event themselves; a schema of what all share lists all types.
        fixed = path in {"type", "event"}
        if field.required != required and not fixed:
            what = "required" if field.required else "optional"
            differences.add((entry.name, path, what))
        if not set(field.values) <= set(values) if fixed else set(field.values) != set(values):
            differences.add((entry.name, path, "values"))
    return differences


def endpoint_fields(documents: dict[str, Any], name: str) -> Found:
    """The fields of an endpoint; where the two specifications differ, the newer one's."""
    found: Found = {}
    for document in documents.values():
        body = document["paths"][f"/{name}"]["post"]["requestBody"]
        schema = resolved(document, body["content"]["application/json"]["schema"])
        if name == "track" and any("$ref" in variant for variant in schema.get("oneOf", [])):
            schema = next(variant for variant in schema["oneOf"] if "$ref" not in variant)
        flat = dict(fields(document, [schema], ""))
        if name == "batch":
            flat = {path: field for path, field in flat.items() if not path.startswith("batch[].")}
        found |= flat
    return found


def event_schema(entry: Entry) -> str:
    name = "_".join(entry.name.lower().split())
    for prefix, (usual, actual) in PREFIXES.items():
        if entry.name.startswith(prefix):
            name = actual + name.removeprefix(usual)
    return SCHEMAS.get(entry.name, name)


def test_models_differ_from_the_specification_only_where_listed(documents) -> None:
    """Every field that only one side has, or has otherwise, is listed with its reason."""
    actual = set()
    for entry in catalogue.endpoints():
        actual |= compare(entry, endpoint_fields(documents, entry.name), whole=True)
    for entry in catalogue.events():
        found: Found = {}
        for document in documents.values():
            schemas = document["components"]["schemas"]
            if event_schema(entry) in schemas:
                whole = entry.vocabulary in WHOLE_CALLS
                found |= dict(
                    fields(document, [schemas[event_schema(entry)]], "" if whole else "properties.")
                )
        assert found, f"{entry.name}: no schema {event_schema(entry)}"
        found.setdefault("event", ("string", False, (entry.name,)))
        actual |= compare(entry, found, whole=False)
    assert sorted(each for each in actual if not explained(*each)) == []
    assert unused(actual, events=False) == []


def explained(subject: str, field: str, what: str) -> bool:
    return any(each.covers(subject, field, what) for each in DIFFERENCES)


def unused(actual: set[tuple[str, str, str]], *, events: bool) -> list[Difference]:
    return [
        each
        for each in DIFFERENCES
        if (each.subject == "events") is events and not any(each.covers(*one) for one in actual)
    ]


def test_event_names_are_those_of_the_specification(documents) -> None:
    """The names that the specification lists, but for those that are listed with a reason."""
    text = documents["pipelines-api-3.0-full"]["info"]["description"]
    rows = re.findall(r"^\| [^|]+ \| (`.+`) \|$", text, re.MULTILINE)
    theirs = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    ours = set(EVENTS)
    actual = {("events", name, "only in the models") for name in ours - theirs}
    actual |= {("events", name, "only in the specification") for name in theirs - ours}
    assert [each for each in actual if not explained(*each)] == []
    assert unused(actual, events=True) == []


def test_every_endpoint_of_the_specification_has_a_model(documents) -> None:
    """No path is missing and none is invented."""
    ours = {f"/{entry.name}" for entry in catalogue.endpoints()}
    for document in documents.values():
        assert set(document["paths"]) == ours


def test_every_event_schema_of_the_specification_has_a_model(documents) -> None:
    """No schema between the vocabularies' first and last is left without an event."""
    schemas = list(documents["pipelines-api-3.0-full"]["components"]["schemas"])
    first, last = schemas.index("list_id"), schemas.index("report_content_event")
    named = {name for name in schemas[first : last + 1] if not name.startswith("mixpanel_")}
    ours = {event_schema(entry) for entry in catalogue.events()}
    assert named - NO_EVENT == ours - {"experiment_viewed"}
    assert "experiment_viewed" in schemas
