"""What a valid call does to people, devices, objects and relationships. Pure.

Reserved events: https://docs.customer.io/integrations/api/cdp/customerio/
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Attributes = Mapping[str, Any]

CHANGES_STATE: Final = frozenset({"identify", "group"})
"""Call types, beside reserved events, that do more than to be recorded."""
DEFAULT_OBJECT_TYPE: Final = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAttributes:
    """Merge attributes into a person; null removes one."""

    user_id: str
    attributes: Attributes
    timestamp: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePerson:
    """Remove a person; a later call makes the person anew."""

    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressPerson:
    """Remove a person and ignore later calls."""

    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsuppressPerson:
    """Take later calls again."""

    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDevice:
    """Add a device to a person, or change it."""

    user_id: str
    token: str
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteDevice:
    """Remove a device from a person."""

    user_id: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetObject:
    """Merge attributes into an object, and relate a person to it."""

    type_id: str
    object_id: str
    attributes: Attributes
    user_id: str | None
    relationship: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteObject:
    """Remove an object and its relationships."""

    type_id: str
    object_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRelationship:
    """Remove the relationship of a person to an object."""

    type_id: str
    object_id: str
    user_id: str


Effect = (
    SetAttributes
    | DeletePerson
    | SuppressPerson
    | UnsuppressPerson
    | SetDevice
    | DeleteDevice
    | SetObject
    | DeleteObject
    | DeleteRelationship
)


def merge(attributes: Attributes, changes: Attributes) -> dict[str, Any]:
    """Attributes after a change: new values replace whole, null removes."""
    return {name: value for name, value in {**attributes, **changes}.items() if value is not None}


def effect_of(call_type: str, call: Mapping[str, Any]) -> Effect | None:
    """What a valid call does beyond being recorded."""
    user_id = call.get("userId") or None
    match call_type:
        case "identify" if user_id:
            return SetAttributes(
                user_id=user_id,
                attributes=call.get("traits") or {},
                timestamp=call.get("timestamp"),
            )
        case "group":
            return _of_group(call, user_id)
        case "track" if user_id:
            return _of_reserved(call, user_id)
        case "track" if call["event"] == "Object Deleted":
            return _object_deleted(call)
        case _:
            return None


def _of_group(call: Mapping[str, Any], user_id: str | None) -> SetObject:
    traits = dict(call.get("traits") or {})
    relationship = traits.pop("relationshipAttributes", None)
    type_id = traits.pop("object_type_id", None) or call.get("objectTypeId")
    return SetObject(
        type_id=str(type_id or DEFAULT_OBJECT_TYPE),
        object_id=call["groupId"],
        attributes=traits,
        user_id=user_id,
        relationship=relationship if isinstance(relationship, Mapping) else {},
    )


def _of_reserved(call: Mapping[str, Any], user_id: str) -> Effect | None:
    match call["event"]:
        case "User Deleted":
            return DeletePerson(user_id=user_id)
        case "User Suppressed":
            return SuppressPerson(user_id=user_id)
        case "User Unsuppressed":
            return UnsuppressPerson(user_id=user_id)
        case "Device Created or Updated":
            device = dict(call["context"]["device"])
            # What else is said of a device stands in the event's properties.
            changes = {**(call.get("properties") or {}), **device}
            return SetDevice(user_id=user_id, token=changes.pop("token"), attributes=changes)
        case "Device Deleted":
            return DeleteDevice(user_id=user_id, token=call["context"]["device"]["token"])
        case "Object Deleted":
            return _object_deleted(call)
        case "Relationship Deleted":
            type_id, object_id = _object(call)
            return DeleteRelationship(type_id=type_id, object_id=object_id, user_id=user_id)
        case _:
            return None


def _object_deleted(call: Mapping[str, Any]) -> DeleteObject:
    type_id, object_id = _object(call)
    return DeleteObject(type_id=type_id, object_id=object_id)


def _object(call: Mapping[str, Any]) -> tuple[str, str]:
    properties = call["properties"]
    type_id = properties.get("objectTypeId") or DEFAULT_OBJECT_TYPE
    return str(type_id), properties["objectId"]
