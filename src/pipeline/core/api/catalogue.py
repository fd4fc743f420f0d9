"""What the API can be told, listed from the models: endpoints, events, and their fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pipeline.core.api.calls import Alias, Batch, Group, Identify, Page, Screen, Track
from pipeline.core.api.common import Closed
from pipeline.core.api.events import Event
from pipeline.core.api.vocabularies import VOCABULARIES

ENDPOINTS: Final[tuple[type[Closed], ...]] = (Identify, Track, Page, Screen, Group, Alias, Batch)

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A documented field of a call, at any depth."""

    path: str
    """Such as `properties.products[].price`."""
    kind: str
    """JSON's type, `any`, or for a timestamp `date-time`; of a list's items, when it is a list."""
    required: bool
    """Whether its parent must have it."""
    values: tuple[str, ...] = ()
    """The only texts that it may be, where it is so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An endpoint, or a documented event, which goes to the endpoint track."""

    name: str
    about: str
    vocabulary: str
    """Empty for an endpoint."""
    method: str
    """The client's method that sends it."""
    model: str
    module: str
    """Where the model is."""
    page: str
    fields: tuple[Field, ...]
    own: tuple[Field, ...]
    """Without those that all calls share, or that an event has as any track call."""


@cache
def endpoints() -> tuple[Entry, ...]:
    """The seven endpoints."""
    common = set(common_fields())
    within = {field for field in common if "." in field.path}
    return tuple(
        entry(model, model.__name__.lower(), "", within if model is Batch else common)
        for model in ENDPOINTS
    )


@cache
def events() -> tuple[Entry, ...]:
    """Every documented event, by vocabulary."""
    track = set(fields_of(Track))
    return tuple(event_entry(model, track) for model in VOCABULARIES)


@cache
def common_fields() -> tuple[Field, ...]:
    """What identify, track, page and screen have in common."""
    others = [set(fields_of(model)) for model in (Track, Page, Screen)]
    return tuple(
        field for field in fields_of(Identify) if all(field in fields for fields in others)
    )


def event_entry(model: type[Event], track: set[Field]) -> Entry:
    """An event, and what it adds to any track call."""
    return entry(model, model.event_name(), model.vocabulary, track)


def entry(model: type[Closed], name: str, vocabulary: str, shared: set[Field]) -> Entry:
    """A model as an entry; fields in *shared* are not its own."""
    fields = fields_of(model)
    return Entry(
        name=name,
        about=(model.__doc__ or "").split("\n\n")[0].replace("\n    ", " "),
        vocabulary=vocabulary,
        method=model.method,
        model=model.__name__,
        module=model.__module__,
        page=model.page,
        fields=fields,
        own=tuple(field for field in fields if field not in shared),
    )


def fields_of(model: type[Closed]) -> tuple[Field, ...]:
    """All documented fields of *model*, at any depth. A batch's calls are not looked into."""
    schema = model.model_json_schema(by_alias=True)
    return tuple(walk(schema, "", schema.get("$defs", {})))


def walk(schema: Schema, prefix: str, definitions: Schema) -> Iterator[Field]:
    """The fields of one object of a JSON schema, and of the objects in it."""
    required = schema.get("required", ())
    for name, described in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        inner = resolve(described, definitions)
        if "items" in inner:
            path += "[]"
            inner = resolve(inner["items"], definitions)
        yield Field(path=path, kind=kind(inner), required=name in required, values=allowed(inner))
        if "oneOf" not in inner:
            yield from walk(inner, f"{path}.", definitions)


def resolve(schema: Schema, definitions: Schema) -> Schema:
    """Follow references, and look through the null of what is optional."""
    while True:
        match schema:
            case {"$ref": str(reference)}:
                schema = definitions[reference.rsplit("/", 1)[-1]]
            case {"anyOf": [inner, {"type": "null"}]}:
                schema = inner
            case _:
                return schema


def kind(schema: Schema) -> str:
    """JSON's type of *schema*."""
    if "oneOf" in schema:
        return "object"
    return str(schema.get("format") or schema.get("type", "any"))


def allowed(schema: Schema) -> tuple[str, ...]:
    """The texts that *schema* is limited to, if it is."""
    return (schema["const"],) if "const" in schema else tuple(schema.get("enum", ()))
