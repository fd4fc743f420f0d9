"""A feed: what the changes of one source table mean to Customer.io. See docs/feeds.md."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self, assert_never

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)

from pipeline.core.feed_calls import (
    OBJECT_DELETED,
    USER_DELETED,
    USER_SUPPRESSED,
    Alias,
    AnyCall,
    Call,
    Expression,
    Group,
    Name,
    Part,
    Whole,
    as_text,
    call_expressions,
    device_parts,
    has_envelope,
)

Operation = Literal["insert", "update", "delete"]
OPERATIONS: Final[tuple[Operation, ...]] = ("insert", "update", "delete")


class FeedError(Exception):
    """A feed cannot be used; each line of the message names file, field and reason."""


class FromVersion(Part):
    """Start with this commit version of the source table."""

    version: int = Field(ge=0)


class FromTimestamp(Part):
    """Start with the first commit at or after this moment."""

    timestamp: AwareDatetime

    @field_validator("timestamp", mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        """ISO 8601, or what YAML made of it; a time without a zone stays one and is refused."""
        if not isinstance(value, str):
            return value
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment


class Object(Part):
    """An object of Customer.io: a type, and the id as SQL."""

    type: Annotated[str, BeforeValidator(as_text), StringConstraints(pattern=r"^[1-9][0-9]*$")]
    """Object type ids are whole numbers, which the API wants as text."""
    id: Expression


class PersonEntity(Part):
    """The feed is about a person."""

    person: Expression


class ConsentTable(Part):
    """A table that says who consents: a row for each person or object."""

    table: Name
    """As a feed's `source`."""
    key: Name
    """Column with the entity's id."""
    column: Name
    """Boolean column; a key that is not there, or is null, does not consent."""


class ObjectEntity(Part):
    """The feed is about an object."""

    object: Object


def _kind(value: Any) -> str | None:
    """Which of a union's members *value* means to be: the one whose field it has."""
    if isinstance(value, str):
        return "\0word"
    fields = value if isinstance(value, dict) else getattr(type(value), "model_fields", ())
    names = ("version", "timestamp", "person", "object", "table")
    return next((f"\0{name}" for name in names if name in fields), None)


Start = Annotated[
    Annotated[Literal["snapshot", "latest"], Tag("\0word")]
    | Annotated[FromVersion, Tag("\0version")]
    | Annotated[FromTimestamp, Tag("\0timestamp")],
    Discriminator(
        _kind,
        custom_error_type="start",
        custom_error_message="must be snapshot, latest, {version: 3} or {timestamp: '2026-...Z'}",
    ),
]
"""Where a feed begins."""

Entity = Annotated[
    Annotated[PersonEntity, Tag("\0person")] | Annotated[ObjectEntity, Tag("\0object")],
    Discriminator(
        _kind,
        custom_error_type="entity",
        custom_error_message="must be {person: <SQL>} or {object: {type: '1', id: <SQL>}}",
    ),
]
"""Whom or what a feed is about; order is kept within it."""

Consent = Annotated[
    Annotated[Expression, Tag("\0word")] | Annotated[ConsentTable, Tag("\0table")],
    Discriminator(
        _kind,
        custom_error_type="consent",
        custom_error_message="must be SQL, or {table: ..., key: <column>, column: <column>}",
    ),
]
"""Who consents."""


class DeleteGuard(Part):
    """A commit with more deletes than both of these holds the feed until someone confirms."""

    count: int = Field(default=1000, ge=0)
    share: float = Field(default=0.2, ge=0, le=1, strict=False)
    """Of all net changes of the commit."""


class Feed(Part):
    """A feed file, checked and with its defaults filled in."""

    file: str
    """Where it was read from; for messages."""
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$", max_length=100)]
    source: Name
    """A path below the settings' source root, an absolute path, or catalog.schema.table."""
    start: Start
    row_key: tuple[Name, ...]
    """Columns that are unique in the source; none: the row's hash stands in."""
    entity: Entity
    order_by: tuple[Expression, ...] = ()
    """Order of an entity's changes within one commit."""
    event_time: Expression | None = None
    """A timestamp; default: when the change was committed."""
    filter: Expression | None = None
    """Changes for which it is not true are skipped with the reason `filtered`."""
    consent: Consent | None = None
    """Inserts and updates for which it is not true are skipped with the reason `no_consent`, and
    so is what of this feed and entity still waits to be sent. SQL over the row, or a table."""
    erasure: Literal["delete", "suppress"] | None = None
    """Each insert asks to erase its entity; the feed has no calls of its own."""
    changes_only: bool = False
    """Send an update only when mapped values differ, and then only those."""
    send_nulls: bool | None = None
    """Null: yes for identify and group, where null removes an attribute; no for the others."""
    personal_data: tuple[Name, ...] = ()
    """Properties that are meant to hold personal data, such as properties.email; `feed check`
    says where others do. What is in a property is declared with it."""
    delete_guard: DeleteGuard = DeleteGuard()
    context: Mapping[str, Any] = Field(default_factory=dict)
    integrations: Mapping[str, Any] = Field(default_factory=dict)
    insert: tuple[Call, ...]
    update: tuple[Call, ...]
    delete: tuple[Call, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, values: Any) -> Any:
        """Turn YAML's lists into tuples and short words into calls."""
        if not isinstance(values, dict):
            return values
        if values.get("erasure") is not None:
            values = _as_requests(values)
        update = values.get("update", "insert")
        spelt = {**values, "update": values.get("insert") if update == "insert" else update}
        for name in ("row_key", "order_by", "personal_data"):
            if isinstance(value := spelt.get(name), list | str):
                spelt[name] = (value,) if isinstance(value, str) else tuple(value)
        for name in OPERATIONS:
            if name in spelt and spelt[name] is not None:
                spelt[name] = _calls(spelt[name], spelt.get("entity"))
        if spelt["update"] is None:
            del spelt["update"]
        return spelt

    @field_validator("context", "integrations")
    @classmethod
    def _json(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"must be constant JSON: {error}") from error
        return value

    @model_validator(mode="after")
    def _whom(self) -> Self:
        """Each call says whom it is about, by itself or by the feed's entity."""
        for operation in OPERATIONS:
            for index, call in enumerate(self.calls(operation)):
                if problem := _nobody(call, self.entity):
                    raise ValueError(f"{operation}, call {index}: {problem}")
                if device_parts(call) and self.context:
                    raise ValueError(
                        f"{operation}, call {index}: its device is its context; leave out the "
                        "feed's own context, since a request has one"
                    )
        return self

    def calls(self, operation: Operation) -> tuple[AnyCall, ...]:
        """What a change becomes; nothing when it is empty."""
        match operation:
            case "insert":
                return self.insert
            case "update":
                return self.update
            case "delete":
                return self.delete
            case _:
                assert_never(operation)

    def messages(self, operation: Operation) -> int:
        """Messages that each change becomes: one a call, or one that says it was skipped."""
        return max(1, len(self.calls(operation)))

    def nulls(self, call: AnyCall) -> bool:
        """Whether this call sends traits or properties that are null."""
        return call.type in {"identify", "group"} if self.send_nulls is None else self.send_nulls

    def expressions(self) -> Iterator[tuple[str, str]]:
        """Every expression, with its dotted path in the file."""
        match self.entity:
            case PersonEntity(person=text):
                yield "entity.person", text
            case ObjectEntity(object=Object(id=text)):
                yield "entity.object.id", text
        for index, text in enumerate(self.order_by):
            yield f"order_by[{index}]", text
        for field in ("event_time", "filter", "consent"):
            if isinstance(text := getattr(self, field), str):
                yield field, text
        for operation in OPERATIONS:
            calls = self.calls(operation)
            if operation == "update" and calls == self.insert:
                continue
            for index, call in enumerate(calls):
                place = operation if len(calls) == 1 else f"{operation}[{index}]"
                yield from call_expressions(call, place)

    @property
    def has_envelopes(self) -> bool:
        """Whether calls may have a `context` or `integrations` of their own."""
        return any(has_envelope(call) for one in OPERATIONS for call in self.calls(one))

    @property
    def constants(self) -> dict[str, Any]:
        """`context` and `integrations` of each call, where they are given."""
        parts = {"context": self.context, "integrations": self.integrations}
        return {name: value for name, value in parts.items() if value}

    def envelope(self) -> bytes:
        """The constants as JSON, once a batch."""
        return json.dumps(self.constants, separators=(",", ":"), ensure_ascii=False).encode()


def _as_requests(values: dict[str, Any]) -> dict[str, Any]:
    """The calls of a feed of requests to erase: they follow from what it is."""
    for name in OPERATIONS:
        if name in values and values[name] not in ("nothing", ()):
            raise ValueError(f"a feed with erasure has no {name}: each inserted row is a request")
    is_object = isinstance(values.get("entity"), dict) and "object" in values["entity"]
    match values["erasure"]:
        case "suppress" if is_object:
            raise ValueError("only people can be suppressed: give erasure: delete")
        case "suppress":
            call = "suppress_person"
        case _:
            call = "delete_object" if is_object else "delete_person"
    return {**values, "insert": call, "update": "nothing", "delete": "nothing"}


def _calls(value: Any, entity: Any) -> tuple[Any, ...]:
    """One call, a list of calls, a short word, or `nothing`."""
    if value == "nothing":
        return ()
    return tuple(_call(item, entity) for item in (value if isinstance(value, list) else [value]))


def _call(value: Any, entity: Any) -> Any:
    match value:
        case "delete_person":
            return {"type": "track", "event": USER_DELETED}
        case "suppress_person":
            return {"type": "track", "event": USER_SUPPRESSED}
        case "delete_object":
            about = entity.get("object") if isinstance(entity, dict) else None
            id_, type_ = (about["id"], about["type"]) if isinstance(about, dict) else ("null", 1)
            properties = {"objectId": f"CAST({id_} AS STRING)", "objectTypeId": type_}
            return {
                "type": "track",
                "event": OBJECT_DELETED,
                "anonymous_id": id_,
                "properties": properties,
            }
        case _:
            return value


def _nobody(call: AnyCall, entity: PersonEntity | ObjectEntity) -> str | None:
    """What is missing where a call does not say whom it is about."""
    person = isinstance(entity, PersonEntity)
    match call:
        case Group(group_id=None) if person:
            return "a group call needs group_id: the feed is about a person, not an object"
        case Group() | Whole():
            return None
        case Alias(user_id=None) if not person:
            return "an alias call needs user_id: the feed is about an object, not a person"
        case _ if not person and call.user_id is None and call.anonymous_id is None:
            return f"a {call.type} call needs user_id or anonymous_id: the feed is about an object"
        case _:
            return None
