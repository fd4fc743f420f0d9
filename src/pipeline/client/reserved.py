"""Customer.io's own events as methods: people, devices, objects, and what became of messages."""

from typing import Any, Generic, Literal, Unpack

from pipeline.client.calls import Calls, Common, DeviceType, Given, Values, given
from pipeline.core.api.calls import Group
from pipeline.core.api.reserved import (
    ContentAction,
    DeviceCreatedOrUpdated,
    DeviceDeleted,
    ObjectDeleted,
    RelationshipDeleted,
    ReportContentEvent,
    ReportDeliveryEvent,
    UserDeleted,
    UserSuppressed,
    UserUnsuppressed,
)

Metric = Literal["delivered", "opened", "clicked", "converted"]
NOBODY = "0"
"""The API demands an anonymous id where an object is deleted, and ignores it."""


class ReservedCalls(Calls[Given], Generic[Given]):
    """The calls that Customer.io itself acts upon."""

    def delete(self, user_id: str, **common: Unpack[Common]) -> Given:
        """Delete a person; a later call brings them back, empty."""
        return self._put(UserDeleted, given(common, user_id=user_id))

    def suppress(self, user_id: str, **common: Unpack[Common]) -> Given:
        """Delete a person, and let Customer.io ignore every later call about them."""
        return self._put(UserSuppressed, given(common, user_id=user_id))

    def unsuppress(self, user_id: str, **common: Unpack[Common]) -> Given:
        """Let a suppressed id be used again; nothing of the person comes back."""
        return self._put(UserUnsuppressed, given(common, user_id=user_id))

    def add_device(
        self,
        user_id: str,
        token: str,
        type: DeviceType | None = None,  # noqa: A002  the API's word
        *,
        device: Values | None = None,
        properties: Values | None = None,
        **common: Unpack[Common],
    ) -> Given:
        """Add a device to a person, or update it; *device* takes more, such as its `model`."""
        common = about_device(common, token, type, device)
        return self._put(
            DeviceCreatedOrUpdated, given(common, user_id=user_id, properties=properties)
        )

    def delete_device(self, user_id: str, token: str, **common: Unpack[Common]) -> Given:
        """Take a device from a person."""
        fields = given(about_device(common, token, None, None), user_id=user_id)
        return self._put(DeviceDeleted, fields)

    def relate(
        self,
        user_id: str,
        object_id: str,
        *,
        object_type_id: int | None = None,
        attributes: Values | None = None,
        **common: Unpack[Common],
    ) -> Given:
        """Put a person into an object; *attributes* are those of the relationship."""
        kind = None if object_type_id is None else str(object_type_id)
        traits = {"object_type_id": kind, "relationshipAttributes": attributes}
        known = {name: value for name, value in traits.items() if value is not None}
        return self._put(
            Group, given(common, user_id=user_id, group_id=object_id, traits=known or None)
        )

    def unrelate(
        self,
        user_id: str,
        object_id: str,
        *,
        object_type_id: int | None = None,
        **common: Unpack[Common],
    ) -> Given:
        """Take a person out of an object."""
        about = given({}, object_id=object_id, object_type_id=object_type_id)
        return self._put(RelationshipDeleted, given(common, user_id=user_id, properties=about))

    def delete_object(
        self, object_id: str, *, object_type_id: int | None = None, **common: Unpack[Common]
    ) -> Given:
        """Delete an object."""
        about = given({}, object_id=object_id, object_type_id=object_type_id)
        return self._put(ObjectDeleted, {"anonymousId": NOBODY, **given(common, properties=about)})

    def report_delivery(
        self,
        delivery_id: str,
        metric: Metric,
        *,
        user_id: str | None = None,
        properties: Values | None = None,
        **common: Unpack[Common],
    ) -> Given:
        """Report what became of a message; *properties* may say `recipient`, `reason`, `href`."""
        about = {**(properties or {}), "deliveryId": delivery_id, "metric": metric}
        return self._put(ReportDeliveryEvent, given(common, user_id=user_id, properties=about))

    def report_content(
        self,
        action: ContentAction,
        *,
        content_id: int | None = None,
        template_id: int | None = None,
        user_id: str | None = None,
        **common: Unpack[Common],
    ) -> Given:
        """Report that an anonymous in-app message was seen or clicked."""
        about = given({}, action_type=action, content_id=content_id, template_id=template_id)
        return self._put(ReportContentEvent, given(common, user_id=user_id, properties=about))


def about_device(
    common: Common, token: str, kind: DeviceType | None, device: Values | None
) -> Common:
    """The common fields with the device in their context."""
    named = given({}, token=token, type=kind)
    context: Any = common.get("context", {})
    if not isinstance(context, dict):
        context = context.model_dump(by_alias=True, exclude_unset=True)
    return {**common, "context": {**context, "device": {**(device or {}), **named}}}
