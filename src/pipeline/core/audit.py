"""The audit log's hash chains: one a writer, each entry sealed by the one before.

A head is the newest place of a chain, kept outside the table. An entry that was changed breaks its
own hash, one that was taken out of the middle breaks the link of the next, and one that was cut
off the end is missed by the head.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

BEGINNING: Final = "0" * 64
"""What stands for the entry before the first."""
UNANCHORED: Final = 1
"""Entries that may follow the head: a kill between an append and its head leaves one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that somebody did."""

    writer: str
    sequence: int
    action: str
    who: str
    origin: str
    detail: str
    """JSON."""
    recorded_at: datetime
    previous_hash: str
    hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a writer's chain ends."""

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with a chain."""

    writer: str
    sequence: int
    what: str


def entry_hash(entry: AuditEntry) -> str:
    """SHA-256 over all of the entry, in an order of its own, and the hash of the one before."""
    moment = entry.recorded_at.astimezone(UTC)
    content = {**asdict(entry), "recorded_at": moment.isoformat(timespec="microseconds")}
    del content["hash"]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def verify(entries: Iterable[AuditEntry], heads: Mapping[str, Head]) -> tuple[Finding, ...]:
    """What is missing or changed, by writer and place; nothing when all is as it was written."""
    ordered = sorted(entries, key=lambda entry: (entry.writer, entry.sequence))
    chains = {writer: list(chain) for writer, chain in groupby(ordered, lambda e: e.writer)}
    found: list[Finding] = []
    for writer in sorted(chains.keys() | heads.keys()):
        chain = chains.get(writer, [])
        found += _chain(writer, chain)
        found += _head(writer, chain, heads.get(writer))
    return tuple(found)


def _chain(writer: str, chain: Sequence[AuditEntry]) -> list[Finding]:
    found, expected, previous = [], 0, BEGINNING
    for entry in chain:
        if entry.sequence < expected:
            what = "stands there twice"
        elif entry.sequence > expected:
            what = f"entries {expected} to {entry.sequence - 1} are missing before it"
        elif entry.previous_hash != previous:
            what = "does not follow from the entry before it"
        elif entry_hash(entry) != entry.hash:
            what = "was changed: its hash is another"
        else:
            what = ""
        if what:
            found.append(Finding(writer=writer, sequence=entry.sequence, what=what))
        expected, previous = entry.sequence + 1, entry.hash
    return found


def _head(writer: str, chain: Sequence[AuditEntry], head: Head | None) -> list[Finding]:
    """Hold a chain's end against its head."""
    last = chain[-1].sequence if chain else -1
    anchored = -1 if head is None else head.sequence
    if last < anchored:
        what = f"entries {last + 1} to {anchored} are missing: the head is at {anchored}"
        return [Finding(writer=writer, sequence=last + 1, what=what)]
    if last - anchored > UNANCHORED:
        what = f"entries {anchored + 1} to {last} have no head: were they added by hand?"
        return [Finding(writer=writer, sequence=anchored + 1, what=what)]
    if head is not None and all(e.hash != head.hash for e in chain if e.sequence == anchored):
        return [Finding(writer=writer, sequence=anchored, what="is not what its head says")]
    return []
