"""The calls: identify, track, page, screen, group, alias, and a batch of them.

Fields are those of https://docs.customer.io/integrations/api/cdp/. Null in an optional field is
the same as leaving it out, as the official clients send it. `model_dump(exclude_unset=True)` gives
what was set, in the API's names.
"""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import BaseModel, Field
from pydantic_core import InitErrorDetails

from pipeline.core.api.common import Boolean, Closed, FreeObject, Id, Named, Timestamp
from pipeline.core.api.context import Context
from pipeline.core.api.limits import Limits
from pipeline.core.api.traits import GroupTraits, Traits
from pipeline.core.api.values import (
    BYTES_PER_CHARACTER,
    finite,
    over_bytes,
    parts,
    refusal,
    refuse_attributes,
    refuse_values,
)

Integrations = dict[str, Boolean]
"""Which destinations get the call, by name; `All` stands for those not named."""


class CallBase(Closed):
    """The fields that every call has."""

    always: ClassVar[tuple[str, ...]] = ("type",)
    """Fields that a model knows by itself and that are sent all the same."""

    message_id: Id | None = None
    timestamp: Timestamp | None = None
    original_timestamp: Timestamp | None = None
    sent_at: Timestamp | None = None
    context: Context | None = None
    integrations: Integrations | None = None

    def collect_refusals(
        self, limits: Limits, found: list[InitErrorDetails], *, parsed: bool
    ) -> None:
        """Context within JSON."""
        del limits  # of no matter to what all calls share
        self.model_fields_set.update(self.always)
        if self.context is not None:
            refuse_values(parts(self.context), ("context",), found, parsed=parsed)


class PersonCall(CallBase):
    """A call about somebody, known by the one id or the other."""

    user_id: Id | None = None
    anonymous_id: Id | None = None

    def collect_refusals(
        self, limits: Limits, found: list[InitErrorDetails], *, parsed: bool
    ) -> None:
        """Somebody whom it is about, ids within their bytes."""
        super().collect_refusals(limits, found, parsed=parsed)
        if self.user_id is not None:
            over_bytes(self.user_id, limits.id_bytes, ("userId",), "an id", found)
        if self.anonymous_id is not None:
            over_bytes(self.anonymous_id, limits.id_bytes, ("anonymousId",), "an id", found)
        if self.user_id is None and self.anonymous_id is None:
            self.refuse_nobody(found)

    def refuse_nobody(self, found: list[InitErrorDetails]) -> None:
        """Refuse a call without the id of a person, where it needs one."""
        reason = "a call needs a userId or an anonymousId"
        found.append(refusal("no_person", reason, ("userId",), None))


class Identify(PersonCall):
    """Say who somebody is, and set or remove attributes."""

    method: ClassVar[str] = "identify"

    type: Literal["identify"] = "identify"
    traits: Traits | None = None

    def collect_refusals(
        self, limits: Limits, found: list[InitErrorDetails], *, parsed: bool
    ) -> None:
        """Attributes within the limits."""
        super().collect_refusals(limits, found, parsed=parsed)
        if self.traits is not None:
            attributes = parts(self.traits)
            refuse_attributes(attributes, ("traits",), limits, found)
            refuse_values(attributes, ("traits",), found, parsed=parsed)


WITHOUT_PERSON: Final = frozenset({"Report Delivery Event", "Report Content Event"})
"""Events that are about a message, not about somebody."""


class TrackBase(PersonCall):
    """What a custom event and a documented one have in common."""

    method: ClassVar[str] = "track"

    type: Literal["track"] = "track"
    event: Id
    group_id: Id | None = None
    """The group that did it, in place of a person."""
    properties: BaseModel | FreeObject | None = None

    def collect_refusals(
        self, limits: Limits, found: list[InitErrorDetails], *, parsed: bool
    ) -> None:
        """A group's id and the event's name within their bytes, properties within JSON."""
        super().collect_refusals(limits, found, parsed=parsed)
        over_bytes(self.event, limits.event_name_bytes, ("event",), "an event's name", found)
        if self.group_id is not None:
            over_bytes(self.group_id, limits.id_bytes, ("groupId",), "an id", found)
        properties = self.properties
        if properties is None:
            return
        values = parts(properties) if isinstance(properties, BaseModel) else properties
        refuse_values(values, ("properties",), found, parsed=parsed)

    def refuse_nobody(self, found: list[InitErrorDetails]) -> None:
        """Refuse an event that nobody did, neither a person nor a group."""
        if self.group_id is None and self.event not in WITHOUT_PERSON:
            reason = "a track call needs a userId, an anonymousId or a groupId"
            found.append(refusal("no_person", reason, ("userId",), None))


class Track(TrackBase):
    """Something happened: an event with a name of one's own."""

    properties: FreeObject | None = None

    def plainly_fine(self, limits: Limits) -> bool:
        """An event of a known person, without context, with short names and finite numbers."""
        values = self.__dict__
        user_id, properties = values["user_id"], values["properties"]
        return (
            user_id is not None
            and len(user_id) * BYTES_PER_CHARACTER <= limits.id_bytes
            and len(values["event"]) * BYTES_PER_CHARACTER <= limits.event_name_bytes
            and values["anonymous_id"] is None
            and values["group_id"] is None
            and values["context"] is None
            and (properties is None or finite(properties.values()))
            and "type" in self.__pydantic_fields_set__
        )


class PageProperties(Named):
    """What is known of the page."""

    category: str | None = None
    url: str | None = None
    title: str | None = None
    referrer: str | None = None
    path: str | None = None
    search: str | None = None


class Page(PersonCall):
    """Somebody looked at a page."""

    method: ClassVar[str] = "page"

    type: Literal["page"] = "page"
    name: str | None = None
    category: str | None = None
    """As the official Python client sends it; the specification has it in the properties."""
    properties: PageProperties | None = None

    def collect_refusals(
        self, limits: Limits, found: list[InitErrorDetails], *, parsed: bool
    ) -> None:
        """Properties within JSON."""
        super().collect_refusals(limits, found, parsed=parsed)
        if self.properties is not None:
            refuse_values(parts(self.properties), ("properties",), found, parsed=parsed)


class Screen(PersonCall):
    """Somebody looked at a screen of an app."""

    method: ClassVar[str] = "screen"

    type: Literal["screen"] = "screen"
    name: str | None = None
    category: str | None = None
    """As the official Python client sends it; the specification doesn't have it."""
    properties: FreeObject | None = None

    def collect_refusals(
        self, limits: Limits, found: list[InitErrorDetails], *, parsed: bool
    ) -> None:
        """Properties within JSON."""
        super().collect_refusals(limits, found, parsed=parsed)
        if self.properties is not None:
            refuse_values(self.properties, ("properties",), found, parsed=parsed)


class Group(PersonCall):
    """Set attributes of a group (an object), and relate a person to it when one is named."""

    method: ClassVar[str] = "group"

    type: Literal["group"] = "group"
    group_id: Id
    traits: GroupTraits | None = None

    def collect_refusals(
        self, limits: Limits, found: list[InitErrorDetails], *, parsed: bool
    ) -> None:
        """The group's id, its attributes and those of the relationship within the limits."""
        super().collect_refusals(limits, found, parsed=parsed)
        over_bytes(self.group_id, limits.id_bytes, ("groupId",), "an id", found)
        if self.traits is None:
            return
        attributes = parts(self.traits)
        relationship = attributes.pop("relationshipAttributes", None)
        refuse_attributes(attributes, ("traits",), limits, found)
        refuse_values(attributes, ("traits",), found, parsed=parsed)
        if relationship:
            path = ("traits", "relationshipAttributes")
            refuse_attributes(relationship, path, limits, found)
            refuse_values(relationship, path, found, parsed=parsed)

    def refuse_nobody(self, found: list[InitErrorDetails]) -> None:
        """Nothing: a group may be set without relating a person to it."""


class Alias(CallBase):
    """Join two ids of one person: *previous_id* is merged into *user_id*."""

    method: ClassVar[str] = "alias"

    type: Literal["alias"] = "alias"
    user_id: Id
    previous_id: Id

    def collect_refusals(
        self, limits: Limits, found: list[InitErrorDetails], *, parsed: bool
    ) -> None:
        """Both ids within their bytes."""
        super().collect_refusals(limits, found, parsed=parsed)
        over_bytes(self.user_id, limits.id_bytes, ("userId",), "an id", found)
        over_bytes(self.previous_id, limits.id_bytes, ("previousId",), "an id", found)


Call = Annotated[
    Identify | Track | Page | Screen | Group | Alias,
    Field(discriminator="type"),
]
"""Any call, told apart by its `type`. Documented events have models beside it: `events.Event`."""
BatchedCall = Annotated[
    Identify | Track | Page | Screen | Group,
    Field(discriminator="type"),
]
"""What `/v1/batch` takes; an alias goes alone."""


class Batch(Closed):
    """Several calls in one request. `context` and `integrations` are those of all of them."""

    method: ClassVar[str] = "batch"

    batch: Annotated[tuple[BatchedCall, ...], Field(min_length=1)]
    context: Context | None = None
    integrations: Integrations | None = None
    sent_at: Timestamp | None = None
    """As the official Python client sends it."""

    def collect_refusals(
        self,
        limits: Limits,  # noqa: ARG002  the calls have looked at their own
        found: list[InitErrorDetails],
        *,
        parsed: bool,
    ) -> None:
        """Context within JSON; the calls have looked after themselves."""
        if self.context is not None:
            refuse_values(parts(self.context), ("context",), found, parsed=parsed)
