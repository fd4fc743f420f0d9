"""Erasing a person: the call that does it at the destination, and the words that drain reads.

A request is a queued message like others: the call that deletes. What sets it apart is its reason:
drain marks the person for good when it takes the request in, and sends the call only when nothing
that was under way before the mark can still arrive.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import numpy as np

from pipeline.core.feed_calls import OBJECT_DELETED, USER_DELETED, USER_SUPPRESSED
from pipeline.core.ids import DIGEST_BYTES, id_text, message_ids

Wanted = Literal["delete", "suppress", "unsuppress"]

USER_UNSUPPRESSED: Final = "User Unsuppressed"
STAGE: Final = "command"
REQUESTED: Final = "erase_requested"
"""Reason of a request that drain has not marked yet."""
WAITING: Final = "erase"
"""Reason of a request whose person is marked: it waits until nothing else can arrive."""
ERASED: Final = "erased"
"""Reason of a message that was cancelled because its person was erased."""
UNSUPPRESS: Final = "unsuppress"
FEED: Final = "pipeline.erase"
"""Stands where a feed's name stands; no feed can be called so."""

_EVENTS: Final = {
    "delete": USER_DELETED,
    "suppress": USER_SUPPRESSED,
    "unsuppress": USER_UNSUPPRESSED,
}


class EntityError(ValueError):
    """What was given names no person and no object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """Whom a message is about, as the drafts spell it."""

    id: str
    object_type: str | None = None

    def __str__(self) -> str:
        """person:<id> or object:<type>:<id>: what is hashed."""
        return (
            f"person:{self.id}"
            if self.object_type is None
            else f"object:{self.object_type}:{self.id}"
        )


def parse_entity(text: str) -> Entity:
    """An entity from `person:<id>`, `object:<type>:<id>`, or the bare id of a person.

    Raises:
        EntityError: the id is empty, or an object has no type.
    """
    kind, _, rest = text.partition(":")
    if kind == "object":
        type_, _, id_ = rest.partition(":")
        if not type_.isdigit() or not id_.strip():
            raise EntityError("an object is given as object:<type>:<id>, such as object:1:acme")
        return Entity(id=id_, object_type=type_)
    id_ = rest if kind == "person" and rest else text
    if not id_.strip():
        raise EntityError("the id is empty; give person:<id> or object:<type>:<id>")
    return Entity(id=id_)


def request_id(command_id: str, at: datetime, hashing_key: bytes) -> str:
    """The message id of a request: of its command, so that repeating it makes no second one."""
    digest = hashlib.sha256(command_id.encode()).digest()[:DIGEST_BYTES]
    milliseconds = np.array([int(at.timestamp() * 1000)], dtype=np.int64)
    return id_text(message_ids(digest, milliseconds, hashing_key))[0]


def request_call(entity: Entity, wanted: Wanted, message_id: str, at: datetime) -> bytes:
    """The call as compact JSON.

    Raises:
        EntityError: an object can be deleted, not suppressed.
    """
    if entity.object_type is not None and wanted != "delete":
        raise EntityError("only people can be suppressed; an object can be erased without that")
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    common: dict[str, object] = {"messageId": message_id, "type": "track", "timestamp": moment}
    if entity.object_type is None:
        call = {**common, "event": _EVENTS[wanted], "userId": entity.id}
    else:
        about = {"objectId": entity.id, "objectTypeId": int(entity.object_type)}
        call = {
            **common,
            "event": OBJECT_DELETED,
            "anonymousId": entity.id,
            "properties": about,
        }
    return json.dumps(call, separators=(",", ":"), ensure_ascii=False).encode()
