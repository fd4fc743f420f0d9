"""The retry queue is a fold of `outcomes`: what waits, and in which order.

Checked with a model of the protocol. The Delta side (`tables.take_in`) does the same fold set-wise;
a test holds the two together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

MessageKind = Literal["accepted", "queued", "dead", "skipped", "cancelled"]
MESSAGE_KINDS: Final[tuple[MessageKind, ...]] = (
    "accepted",
    "queued",
    "dead",
    "skipped",
    "cancelled",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """What the fold needs of a message's row in `outcomes`."""

    version: int
    """Commit version of `outcomes`."""
    message_id: str
    kind: MessageKind
    number: int
    entity_hash: bytes
    position: int = 0
    """Feed order within the commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A message that waits."""

    message_id: str
    entity_hash: bytes
    queued_version: int
    """The commit of `outcomes` that queued it: the first key of its entity's order."""
    position: int
    number: int


def fold(queue: Mapping[str, Waiting], rows: Iterable[OutcomeRow]) -> dict[str, Waiting]:
    """The queue after *rows*, taken in by commit version, then number.

    Queued: put, or rescheduled in its old place. Any end state: removed, so that a replay, which
    queues it again, goes last.
    """
    after = dict(queue)
    for row in sorted(rows, key=lambda row: (row.version, row.number)):
        if row.kind != "queued":
            after.pop(row.message_id, None)
        elif (known := after.get(row.message_id)) is not None:
            after[row.message_id] = replace(known, number=row.number)
        else:
            after[row.message_id] = Waiting(
                message_id=row.message_id,
                entity_hash=row.entity_hash,
                queued_version=row.version,
                position=row.position,
                number=row.number,
            )
    return after


def barred(queue: Mapping[str, Waiting], rows: Iterable[OutcomeRow]) -> frozenset[bytes]:
    """Entities that have a message waiting, as of the queue and the outcomes after it."""
    return frozenset(waiting.entity_hash for waiting in fold(queue, rows).values())


def run_order(waiting: Waiting) -> tuple[int, int]:
    """The order in which an entity's messages leave the queue."""
    return (waiting.queued_version, waiting.position)
