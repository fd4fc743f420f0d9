"""Which messages somebody means. No Spark here: the command line starts with it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Pile = Literal["queue", "dead"]
"""Where messages lie that were not accepted."""


class MessageError(Exception):
    """A message that was asked for is not there, or cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which messages; what is not given does not matter."""

    feed: str | None = None
    reason: str | None = None
    entity_hash: bytes | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    message_ids: tuple[str, ...] = ()
