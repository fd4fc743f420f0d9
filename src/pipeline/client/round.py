"""Send a round of messages as the streams do: the same lanes, packing, attempts and bisection."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import Final

import numpy as np
import pyarrow as pa

from pipeline.client.message import Message
from pipeline.client.result import Refusal
from pipeline.core.outcome import Held, Retryable
from pipeline.core.sealed import Entities, Sealed, Verdict
from pipeline.delivery.attempt import Attempts
from pipeline.delivery.deliver import lanes
from pipeline.delivery.lane import send_lane
from pipeline.delivery.task import Task

HASH_BYTES: Final = 16
DEADLINE: Final = "deadline"
"""Not ill, only slow: what is left goes with the next round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What became of the messages of a round."""

    accepted: int
    refused: tuple[Message, ...]
    refusals: tuple[Refusal, ...]
    """Why, one for each of them."""
    left: tuple[Message, ...]
    """Not delivered, in the order in which they are to be sent."""
    requests: int
    trouble: bool
    """Whether a request failed for the destination's own reasons."""
    reason: str | None
    """Why some are left."""
    retry_after: timedelta
    """How long the destination asked to be left alone."""


async def send_round(task: Task, attempts: Attempts) -> None:
    """Send what there is to send, each lane beside the others."""
    async with asyncio.TaskGroup() as group:
        for places in lanes(task):
            group.create_task(send_lane(task, places, attempts))


def told(messages: Sequence[Message], task: Task) -> Round:
    """What became of *messages*, which *task* was made of; true also where it was cut short."""
    verdict = task.verdict
    left = np.flatnonzero((verdict == Verdict.PENDING) | (verdict == Verdict.QUEUED)).tolist()
    dead = np.flatnonzero(verdict == Verdict.DEAD).tolist()
    failed = [row.sent.outcome for row in task.requests]
    reasons = [outcome.reason for outcome in failed if isinstance(outcome, Retryable | Held)]
    return Round(
        accepted=int(np.count_nonzero(verdict == Verdict.ACCEPTED)),
        refused=tuple(messages[place] for place in dead),
        refusals=tuple(_refusal(messages[place], task.words[place]) for place in dead),
        left=tuple(messages[place] for place in left),
        requests=len(task.requests),
        trouble=bool(reasons),
        reason=(reasons[-1] if reasons else task.hold) if left else None,
        retry_after=max(task.retry_after.values(), default=timedelta()),
    )


def arranged(messages: Iterable[Message]) -> tuple[list[Message], list[str]]:
    """The messages in an order that fills batches, and for each what it shares its order with.

    Calls that name the same person or object stay in their order. Others change places, so that
    those with one `context` and `integrations` come together.
    """
    listed = list(messages)
    parents: dict[str, str] = {}
    for message in listed:
        for name in message.names[1:]:
            parents[_root(parents, name)] = _root(parents, message.names[0])
    roots = [_root(parents, message.names[0]) if message.names else "" for message in listed]
    envelopes: dict[bytes, int] = {}
    last: dict[str, tuple[int, int]] = {}
    keys: list[tuple[int, int]] = []
    for message, root in zip(listed, roots, strict=True):
        envelope = envelopes.setdefault(message.envelope, len(envelopes) + 1)
        own = -envelope if message.alone else envelope
        epoch, before = last.get(root, (0, own))
        last[root] = (epoch + (own != before), own)
        keys.append(last[root])
    order = sorted(range(len(listed)), key=keys.__getitem__)
    return [listed[place] for place in order], [roots[place] for place in order]


def sealed(messages: Sequence[Message], roots: Sequence[str]) -> Sealed:
    """Messages, in sending order, as the columns that a task works with."""
    count = len(messages)
    envelopes: dict[bytes, int] = {}
    codes: dict[str, int] = {}
    nothing = pa.nulls(count, pa.int64())
    zeros = np.zeros(count, dtype=np.int32)
    return Sealed(
        ids=np.empty((count, 0), dtype=np.uint8),
        bodies=pa.array([message.body + b"," for message in messages], pa.large_binary()),
        entities=Entities(
            codes=np.array([codes.setdefault(root, len(codes)) for root in roots], dtype=np.int32),
            hashes=tuple(_hash(root) for root in codes),
        ),
        feed=pa.nulls(count, pa.string()),
        source_version=nothing,
        committed_at=nothing,
        call_number=nothing,
        call_type=pa.array([message.call_type for message in messages], pa.string()),
        event=pa.array([message.event for message in messages], pa.string()),
        position=np.arange(count, dtype=np.int64),
        number=zeros,
        attempts=zeros,
        envelope=np.array(
            [envelopes.setdefault(message.envelope, len(envelopes)) for message in messages],
            dtype=np.int32,
        ),
        envelopes=tuple(envelopes),
        verdict=np.full(count, Verdict.PENDING, dtype=np.int8),
        words={},
        alone=np.array([message.alone for message in messages], dtype=np.bool_),
    )


def _refusal(message: Message, words: tuple[str, str, str | None]) -> Refusal:
    _, reason, detail = words
    return Refusal(
        message_id=message.id,
        call_type=message.call_type,
        event=message.event,
        reason=reason,
        detail=detail,
    )


def _root(parents: dict[str, str], name: str) -> str:
    while (parent := parents.get(name, name)) != name:
        parents[name] = parents.get(parent, parent)
        name = parent
    return name


def _hash(root: str) -> bytes:
    """For lanes only: never kept, so it needs no key."""
    return blake2b(root.encode(), digest_size=HASH_BYTES).digest()
