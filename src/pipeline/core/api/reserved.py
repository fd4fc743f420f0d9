"""Customer.io's own events: track calls that do what has no endpoint of its own.

https://docs.customer.io/integrations/data-in/semantic-events/cio-journeys/
"""

from typing import ClassVar, Final, Literal

from pydantic import model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from pipeline.core.api.common import API, FreeObject, Id, Integer, Open
from pipeline.core.api.context import Context, Device
from pipeline.core.api.events import Event
from pipeline.core.api.limits import Limits
from pipeline.core.api.values import over_bytes


class ReservedEvent(Event):
    """An event that Customer.io itself acts upon."""

    vocabulary: ClassVar[str] = "Customer.io"
    page: ClassVar[str] = f"{API}customerio/"


class PushDevice(Device):
    """A device with the token that push messages are sent to."""

    token: Id


class DeviceContext(Context):
    """A context that says which device is meant."""

    device: PushDevice


class DeviceCreatedOrUpdated(ReservedEvent):
    """Add a device to a person, or update it."""

    method: ClassVar[str] = "add_device"

    event: Literal["Device Created or Updated"] = "Device Created or Updated"
    user_id: Id
    context: DeviceContext
    properties: FreeObject | None = None


class DeviceDeleted(ReservedEvent):
    """Take a device from a person."""

    method: ClassVar[str] = "delete_device"

    event: Literal["Device Deleted"] = "Device Deleted"
    user_id: Id
    context: DeviceContext
    properties: FreeObject | None = None


class UserDeleted(ReservedEvent):
    """Delete a person; a later call recreates them."""

    method: ClassVar[str] = "delete"

    event: Literal["User Deleted"] = "User Deleted"
    user_id: Id
    properties: FreeObject | None = None


class UserSuppressed(ReservedEvent):
    """Delete a person, and ignore every later call about them."""

    method: ClassVar[str] = "suppress"

    event: Literal["User Suppressed"] = "User Suppressed"
    user_id: Id
    properties: FreeObject | None = None


class UserUnsuppressed(ReservedEvent):
    """Let a suppressed id be used again; nothing of the person comes back."""

    method: ClassVar[str] = "unsuppress"

    event: Literal["User Unsuppressed"] = "User Unsuppressed"
    user_id: Id
    properties: FreeObject | None = None


class ObjectReference(Open):
    """An object by its id and type."""

    object_id: Id
    object_type_id: Integer | None = None
    """A whole number; without it the API takes 1."""


class ObjectEvent(ReservedEvent):
    """An event about an object."""

    properties: ObjectReference

    def collect_refusals(
        self, limits: Limits, found: list[InitErrorDetails], *, parsed: bool
    ) -> None:
        """The object's id within its bytes."""
        super().collect_refusals(limits, found, parsed=parsed)
        path = ("properties", "objectId")
        over_bytes(self.properties.object_id, limits.id_bytes, path, "an id", found)


class ObjectDeleted(ObjectEvent):
    """Delete an object. An anonymous id is demanded and can be any text: the API ignores it."""

    method: ClassVar[str] = "delete_object"

    event: Literal["Object Deleted"] = "Object Deleted"
    anonymous_id: Id


class RelationshipDeleted(ObjectEvent):
    """Take a person out of an object."""

    method: ClassVar[str] = "unrelate"

    event: Literal["Relationship Deleted"] = "Relationship Deleted"
    user_id: Id


class DeliveryReport(Open):
    """What became of a message that Customer.io sent."""

    delivery_id: str | None = None
    metric: Literal["delivered", "clicked", "converted", "opened"] | None = None
    recipient: str | None = None
    reason: str | None = None
    action_value: str | None = None
    href: str | None = None


class ReportDeliveryEvent(ReservedEvent):
    """Report what became of a message."""

    method: ClassVar[str] = "report_delivery"

    event: Literal["Report Delivery Event"] = "Report Delivery Event"
    properties: DeliveryReport


ContentAction = Literal["viewed_content", "clicked_content"]


class ContentReport(Open):
    """What was done with an anonymous in-app message.

    The specification defines `actionType` and demands `activityType`; either will do.
    """

    action_type: ContentAction | None = None
    activity_type: ContentAction | None = None
    content_id: Integer | None = None
    template_id: Integer | None = None

    @model_validator(mode="after")
    def _name_the_action(self) -> "ContentReport":
        if self.action_type is None and self.activity_type is None:
            raise PydanticCustomError("no_action", "an actionType is required")
        return self


class ReportContentEvent(ReservedEvent):
    """Report that an anonymous in-app message was seen or clicked."""

    method: ClassVar[str] = "report_content"

    event: Literal["Report Content Event"] = "Report Content Event"
    properties: ContentReport


RESERVED: Final[tuple[type[Event], ...]] = (
    DeviceCreatedOrUpdated,
    DeviceDeleted,
    UserDeleted,
    UserSuppressed,
    UserUnsuppressed,
    ObjectDeleted,
    RelationshipDeleted,
    ReportDeliveryEvent,
    ReportContentEvent,
)
