"""What the API requires of a call. Pure, and on its own: it can be held against other models.

`find_errors` is the authority. `certainly_valid` is a shortcut for the common case: it may say
no to a valid call, never yes to an invalid one.

From the specification at https://docs.customer.io/integrations/api/cdp/.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from pipeline.sandbox.read import Call

CALL_TYPES: Final = ("identify", "track", "page", "screen", "group", "alias")
ID_BYTES_MAX: Final = 150

_IDS: Final = ("userId", "anonymousId", "groupId", "previousId")
_STRINGS: Final = ("messageId", "event", "name")
_TIMES: Final = ("timestamp", "sentAt", "originalTimestamp")
_OBJECTS: Final = ("traits", "properties", "context", "integrations")
_WITHOUT_PERSON: Final = frozenset({"Report Delivery Event", "Report Content Event"})
_OF_A_USER: Final = frozenset({"User Deleted", "User Suppressed", "User Unsuppressed"})
_DEVICE: Final = frozenset({"Device Created or Updated", "Device Deleted"})
_NEEDS_OBJECT_ID: Final = frozenset({"Relationship Deleted", "Object Deleted"})
RESERVED: Final = frozenset(_WITHOUT_PERSON | _OF_A_USER | _DEVICE | _NEEDS_OBJECT_ID)
"""Names of events that do something else than record an event."""

# RFC 3339, as the specification's `format: date-time` means it.
_DATE_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def is_date_time(text: str) -> bool:
    """A moment with date, time and zone, such as `2024-05-01T10:00:00.000Z`."""
    if _DATE_TIME.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return True


def find_errors(endpoint: str, call: Any, *, alias_in_batch: bool = True) -> tuple[str, ...]:
    """Why a call is refused at `/v1/<endpoint>`; nothing when it is valid.

    Args:
        endpoint: One of the call types, or `batch` for a call within a batch.
        call: The decoded JSON of the call.
        alias_in_batch: Whether a batch may hold an alias.
    """
    if not isinstance(call, Mapping):
        return ("a call must be an object",)
    call_type = call.get("type") if endpoint == "batch" else endpoint
    if call_type not in CALL_TYPES:
        return (f"type must be one of {', '.join(CALL_TYPES)}",)
    if endpoint == "batch" and call_type == "alias" and not alias_in_batch:
        return ("alias is not allowed in a batch",)
    return (*_wrong_type(call, call_type), *_missing(call, call_type))


def _wrong_type(call: Mapping[str, Any], call_type: str) -> Iterator[str]:
    if call.get("type") not in (None, call_type):
        yield f"type must be {call_type} here"
    for name in (*_IDS, *_STRINGS, *_TIMES):
        value = call.get(name)
        if value is not None and not isinstance(value, str):
            yield f"{name} must be a string"
        elif value and name in _IDS and len(value.encode(errors="surrogatepass")) > ID_BYTES_MAX:
            yield f"{name} must be at most {ID_BYTES_MAX} bytes"
        elif value is not None and name in _TIMES and not is_date_time(value):
            yield f"{name} must be an ISO 8601 date-time with a zone"
    for name in _OBJECTS:
        if call.get(name) is not None and not isinstance(call[name], Mapping):
            yield f"{name} must be an object"


def _missing(call: Mapping[str, Any], call_type: str) -> Iterator[str]:
    if call_type == "group":
        if not call.get("groupId"):
            yield "groupId is required"
        return
    if call_type == "alias":
        yield from (
            f"{name} is required" for name in ("userId", "previousId") if not call.get(name)
        )
        return
    event = call.get("event") if call_type == "track" else None
    if call_type == "track" and not event:
        yield "event is required"
    if isinstance(event, str) and event in RESERVED:
        yield from _missing_reserved(call, event)
    elif not (call.get("userId") or call.get("anonymousId")) and not (
        # An event may belong to a group alone.
        call_type == "track" and call.get("groupId")
    ):
        yield "userId or anonymousId is required"


def _missing_reserved(call: Mapping[str, Any], event: str) -> Iterator[str]:
    if event in _WITHOUT_PERSON:
        if call.get("properties") is None:
            yield f"properties is required for {event}"
        return
    if event == "Object Deleted":
        if not (call.get("userId") or call.get("anonymousId")):
            yield "userId or anonymousId is required"
    elif not call.get("userId"):
        yield f"userId is required for {event}"
    if event in _DEVICE and not _text_in(call, "context", "device", "token"):
        yield f"context.device.token is required for {event}"
    if event in _NEEDS_OBJECT_ID and not _text_in(call, "properties", "objectId"):
        yield f"properties.objectId is required for {event}"


def _text_in(value: Any, *path: str) -> bool:
    """A non-empty string stands at that path."""
    for name in path:
        if not isinstance(value, Mapping):
            return False
        value = value.get(name)
    return isinstance(value, str) and bool(value)


def certainly_valid(endpoint: str, call: Call) -> bool:
    """True only for calls in which `find_errors` finds nothing; false means: look closely."""
    call_type = call.type if endpoint == "batch" else endpoint
    if call.type is not None and call.type != call_type:
        return False
    if call_type == "track":
        if not call.event or call.event in RESERVED:
            return False
    elif call_type not in ("identify", "page", "screen"):
        return False
    user_id, anonymous_id = call.userId, call.anonymousId
    if not (user_id or anonymous_id) or call.groupId is not None or call.previousId is not None:
        return False
    if user_id and not (len(user_id) <= ID_BYTES_MAX and user_id.isascii()):
        return False
    if anonymous_id and not (len(anonymous_id) <= ID_BYTES_MAX and anonymous_id.isascii()):
        return False
    if call.sentAt is not None or call.originalTimestamp is not None:
        return False
    return call.timestamp is None or is_date_time(call.timestamp)
