"""The calls that a change becomes, as a feed writes them down."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from typing_extensions import TypeAliasType

from pipeline.core.feed_sql import parse_expression
from pipeline.core.sealed import DEVICE_EVENTS

USER_DELETED: Final = "User Deleted"
USER_SUPPRESSED: Final = "User Suppressed"
OBJECT_DELETED: Final = "Object Deleted"
"""Reserved events: https://docs.customer.io/integrations/data-in/semantic-events/."""

TAG: Final = "\0"
"""Starts the parts of pydantic's error locations that are no part of the file."""


def as_text(value: Any) -> Any:
    """YAML's bare numbers and booleans are SQL literals too."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _deterministic(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty: write null in quotes to send null, or leave it out")
    parse_expression(text)
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _kind_of_value(value: Any) -> str:
    return f"{TAG}object" if isinstance(value, Mapping) else f"{TAG}expression"


Expression = Annotated[str, BeforeValidator(as_text), AfterValidator(_deterministic)]
"""One deterministic SQL expression over the columns of a row."""

Name = Annotated[str, AfterValidator(_not_blank)]
"""A literal that is sent as it stands."""

Value = TypeAliasType(
    "Value",
    "Annotated[Annotated[Expression, Tag('\\0expression')]"
    " | Annotated[Mapping[Name, Value], Tag('\\0object'), Field(min_length=1)],"
    " Discriminator(_kind_of_value)]",
)
"""An expression, or an object of values."""


class Part(BaseModel):
    """What all parts of a feed have in common: frozen, and closed to misspelt names."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DeviceParts(Part):
    """What the API knows of a device, each an expression; what else is said goes to properties."""

    token: Expression
    type: Expression | None = None
    """android or ios."""
    id: Expression | None = None
    name: Expression | None = None
    manufacturer: Expression | None = None
    model: Expression | None = None
    version: Expression | None = None
    advertisingId: Expression | None = None  # noqa: N815  the API's name

    def parts(self) -> dict[str, str]:
        """Those that are given, by the API's names."""
        return {name: text for name in type(self).model_fields if (text := getattr(self, name))}


class DeviceContext(Part):
    """A call's own context: its device."""

    device: DeviceParts


class _Call(Part):
    when: Expression | None = None
    """Condition; where it is not true, the call is skipped with the reason `condition`."""
    user_id: Expression | None = None
    """Default: the person that the feed is about."""
    anonymous_id: Expression | None = None


class Identify(_Call):
    """Set a person's traits."""

    type: Literal["identify"] = "identify"
    traits: Mapping[Name, Value] = Field(default_factory=dict)


class Track(_Call):
    """Something that a person did."""

    type: Literal["track"] = "track"
    event: Name | None = None
    """The event's name, as it stands."""
    event_expression: Expression | None = None
    """SQL that gives the event's name."""
    properties: Mapping[Name, Value] = Field(default_factory=dict)
    context: DeviceContext | None = None
    """The device that a device event is about; such a call goes to the API alone."""

    @model_validator(mode="after")
    def _one_event(self) -> Self:
        if (self.event is None) == (self.event_expression is None):
            raise ValueError("give either event (a name) or event_expression (SQL)")
        if self.context is not None and self.event not in DEVICE_EVENTS:
            raise ValueError(
                f"a context of the call's own is for the events {' and '.join(DEVICE_EVENTS)}; "
                "the feed's context holds for all its calls"
            )
        return self


class Page(_Call):
    """A page that a person looked at."""

    type: Literal["page"] = "page"
    name: Expression | None = None
    properties: Mapping[Name, Value] = Field(default_factory=dict)


class Screen(_Call):
    """A screen of an app that a person looked at."""

    type: Literal["screen"] = "screen"
    name: Expression | None = None
    properties: Mapping[Name, Value] = Field(default_factory=dict)


class Group(_Call):
    """Set an object's traits, and with a user id the relationship of a person to it."""

    type: Literal["group"] = "group"
    group_id: Expression | None = None
    """Default: the object that the feed is about."""
    object_type_id: Name | None = None
    """Default: the type of the object that the feed is about."""
    traits: Mapping[Name, Value] = Field(default_factory=dict)


class Alias(_Call):
    """Merge one person into another."""

    type: Literal["alias"] = "alias"
    previous_id: Expression


class Whole(Part):
    """A call that stands whole in the row, as JSON: the table is an outbox."""

    type: Literal["json"] = "json"
    call: Expression
    """Gives the call's JSON; it is judged row by row, as the API's models do."""
    when: Expression | None = None
    user_id: None = None
    anonymous_id: None = None


AnyCall = Identify | Track | Page | Screen | Group | Alias | Whole

_TYPES: Final = ("identify", "track", "page", "screen", "group", "alias", "json")
_SHORT: Final = ("delete_person", "suppress_person", "delete_object")
"""Words that stand for a call of a reserved event; `Feed` spells them out."""


def _call_type(value: Any) -> str | None:
    type_ = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    return f"{TAG}{type_}" if type_ in _TYPES else None


Call = Annotated[
    Annotated[Identify, Tag("\0identify")]
    | Annotated[Track, Tag("\0track")]
    | Annotated[Page, Tag("\0page")]
    | Annotated[Screen, Tag("\0screen")]
    | Annotated[Group, Tag("\0group")]
    | Annotated[Alias, Tag("\0alias")]
    | Annotated[Whole, Tag("\0json")],
    Discriminator(
        _call_type,
        custom_error_type="call_type",
        custom_error_message=(
            f"must be a call with a type ({', '.join(_TYPES)}), or one of {', '.join(_SHORT)}"
        ),
    ),
]
"""One API call, in the API's own words."""


def content(call: AnyCall) -> Mapping[str, Value]:
    """The traits or properties of a call; an alias has none."""
    match call:
        case Identify() | Group():
            return call.traits
        case Track() | Page() | Screen():
            return call.properties
        case Alias() | Whole():
            return {}


def content_name(call: AnyCall) -> Literal["traits", "properties"] | None:
    """What the API calls the content of a call."""
    match call:
        case Identify() | Group():
            return "traits"
        case Track() | Page() | Screen():
            return "properties"
        case Alias() | Whole():
            return None


def device_parts(call: AnyCall) -> Mapping[str, str]:
    """The expressions of a call's own device, by the API's names; most calls have none."""
    if not isinstance(call, Track) or call.context is None:
        return {}
    return call.context.device.parts()


def has_envelope(call: AnyCall) -> bool:
    """Whether a call may have a `context` or `integrations` of its own."""
    return isinstance(call, Whole) or bool(device_parts(call))


def leaves(mapping: Mapping[str, Value], path: str) -> Iterator[tuple[str, str]]:
    """Every expression of a mapping, with its dotted path in the file."""
    for name, value in mapping.items():
        if isinstance(value, str):
            yield f"{path}.{name}", value
        else:
            yield from leaves(value, f"{path}.{name}")


def call_expressions(call: AnyCall, path: str) -> Iterator[tuple[str, str]]:
    """Every expression of a call, with its dotted path in the file."""
    for field in (
        "when", "user_id", "anonymous_id", "event_expression", "name", "group_id", "previous_id",
        "call",
    ):  # fmt: skip
        if (text := getattr(call, field, None)) is not None:
            yield f"{path}.{field}", text
    for part, text in device_parts(call).items():
        yield f"{path}.context.device.{part}", text
    if (name := content_name(call)) is not None:
        yield from leaves(content(call), f"{path}.{name}")
