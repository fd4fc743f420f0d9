"""Traits: the attributes of a person or of a group. Null removes an attribute, so it is kept."""

from typing import Any

from pipeline.core.api.common import FreeObject, Named, Open, Preference, Timestamp


class SubscriptionPreferences(Open):
    """What a person wants to receive.

    https://docs.customer.io/journeys/channels/subscriptions/center/
    """

    topics: dict[str, Preference | None] | None = None
    """By `topic_<id>`."""
    channels: dict[str, Preference | None] | None = None
    """By name: `email`, `sms`, `push`, `in_app`, `whatsapp`, `slack`, `line`, `inbox`."""


class Traits(Named):
    """Attributes of a person: those that the API knows, and any other.

    Names are the wire's own, since a custom `created_at` is common and is not `createdAt`.
    """

    email: str | None = None
    createdAt: Timestamp | None = None  # noqa: N815
    cio_subscription_preferences: SubscriptionPreferences | None = None
    unsubscribed: Any = None
    """True, "true" in any spelling, 1 and "1" mean unsubscribed; any other value does not."""


class GroupTraits(Named):
    """Attributes of a group, which Customer.io calls an object."""

    object_type_id: str | None = None
    """The type of the object, digits as a text; without it the API takes "1"."""
    relationshipAttributes: FreeObject | None = None  # noqa: N815
    """Attributes of the relationship between the person and the object."""
