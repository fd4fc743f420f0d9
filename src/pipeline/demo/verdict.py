"""The end of the show: the pipeline's books against upstream's word and the sandbox's own count."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from pipeline.demo.ledger import ACCEPTED, Ledger


class Books(BaseModel):
    """What `pipeline reconcile --json` says of one feed."""

    model_config = ConfigDict(frozen=True)

    feed: str
    changes: int
    recounted: int | None
    messages: int
    accepted: int
    queued: int
    dead: int
    skipped: int
    cancelled: int
    closes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What the sandbox counted by itself."""

    applied: frozenset[str]
    """Message ids of calls that took effect."""
    arrivals: int
    """Calls that took effect, repeats and all."""
    dropped: Mapping[str, int]
    """Calls that were answered 200 and vanished, by reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether everyone tells the same story."""

    books: tuple[Books, ...]
    received: Received
    never_arrived: frozenset[str]
    """Accepted in the ledger, unknown to the sandbox."""
    unaccounted: frozenset[str]
    """At the sandbox, not accepted in the ledger."""
    disagreements: tuple[str, ...]
    """In words; nothing when all is well."""

    @property
    def repeats(self) -> int:
        """Calls that took effect more than once, always with the same id."""
        return self.received.arrivals - len(self.received.applied)


class ReconcileError(Exception):
    """`pipeline reconcile` did not come to a result; the message has its words."""


def reconcile(conf: Path, environment: Mapping[str, str]) -> tuple[Books, ...]:
    """Run `pipeline reconcile` in a process of its own.

    Raises:
        ReconcileError: it failed, otherwise than by books that do not close.
    """
    done = subprocess.run(  # noqa: S603  our own job
        [sys.executable, "jobs/reconcile.py", "--conf", str(conf), "--json"],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1) or "[" not in done.stdout:
        words = (done.stderr or done.stdout).strip()[-3000:]
        raise ReconcileError(f"reconcile ended with status {done.returncode}:\n{words}")
    found: list[Any] = json.loads(done.stdout[done.stdout.index("[") :])
    return tuple(Books.model_validate(one) for one in found)


def received(message_ids: Iterable[Mapping[str, Any]], counts: Mapping[str, Any]) -> Received:
    """The sandbox's answers, as they are needed here."""
    applied = {row["message_id"]: int(row["applied"]) for row in message_ids if row["applied"]}
    return Received(
        applied=frozenset(applied),
        arrivals=sum(applied.values()),
        dropped=dict(counts["dropped"]),
    )


def judge(
    books: tuple[Books, ...], written: Mapping[str, int], ledger: Ledger, seen: Received
) -> Verdict:
    """Hold the books to what upstream wrote, by feed, and to what arrived, by message id."""
    accepted = ledger.ids(ACCEPTED)
    never_arrived = frozenset(accepted - seen.applied)
    unaccounted = frozenset(seen.applied - accepted)
    problems = [line for one in books for line in _problems(one, written.get(one.feed, 0))]
    problems += [f"{feed}: no books" for feed in written.keys() - {one.feed for one in books}]
    if never_arrived:
        problems.append(f"{len(never_arrived):,} messages accepted, but not at the sandbox")
    if unaccounted:
        problems.append(f"{len(unaccounted):,} messages at the sandbox, but not accepted")
    if seen.dropped:
        problems.append(f"the sandbox dropped calls: {dict(seen.dropped)}")
    return Verdict(
        books=books,
        received=seen,
        never_arrived=never_arrived,
        unaccounted=unaccounted,
        disagreements=tuple(problems),
    )


def _problems(one: Books, written: int) -> list[str]:
    problems = []
    if not one.closes:
        problems.append(f"{one.feed}: the books do not close")
    if one.changes != written:
        problems.append(f"{one.feed}: upstream wrote {written:,} changes, booked {one.changes:,}")
    if one.queued:
        problems.append(f"{one.feed}: {one.queued:,} messages are still queued")
    return problems
