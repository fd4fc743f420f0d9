"""Leases as rows of the `leases` table, and the fence that makes an older epoch's appends void."""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.lease import Entry, LeaseRow, LeaseState, judge, txn_version
from pipeline.core.records import LEASES
from pipeline.tables import outcomes
from pipeline.tables.layout import Layout
from pipeline.tables.rows import append_rows


class LeaseHeldError(Exception):
    """Another process holds the lease, and lives."""


class LeaseLostError(Exception):
    """Another process has taken the lease over: this one must stop at once."""


def holder_name() -> str:
    """Who this process is: host, process, start."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex[:8]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lease that this process has."""

    name: str
    epoch: int
    holder: str
    taken_over: bool
    """The one before did not release it: wait out its longest slice before anything is sent."""
    at: int
    """Commit of `leases` with the claim: what comes after it is what `check` looks at."""

    @property
    def app(self) -> str:
        """Delta's transaction app id of the appends that the lease fences."""
        return f"pipeline/{self.name}"


def state(
    spark: SparkSession, where: Layout, name: str, known: LeaseState | None = None, after: int = 0
) -> tuple[LeaseState, int]:
    """What the lease's rows come to now, on top of what was *known* after commit *after*.

    With it, the newest commit that had a row of this lease.
    """
    changes = where.place(LEASES).changes(spark, after + 1).where(F.col("name") == name)
    rows = _rows(changes).get(name, [])
    return judge(rows, known), max((row.version for row in rows), default=after)


def holders(spark: SparkSession, where: Layout) -> dict[str, str]:
    """Leases that were not released, and who holds them; one that crashed is among them."""
    by_name = _rows(where.place(LEASES).changes(spark, 1))
    found = {name: judge(rows).holder for name, rows in by_name.items()}
    return {name: holder for name, holder in found.items() if holder is not None}


def _rows(changes: DataFrame) -> dict[str, list[LeaseRow]]:
    """The rows of a change feed of leases as values of the core, by name."""
    by_name: dict[str, list[LeaseRow]] = {}
    for row in changes.select("name", "_commit_version", "entry", "epoch", "holder").collect():
        one = LeaseRow(version=row[1], entry=row[2], epoch=row[3], holder=row[4])
        by_name.setdefault(row[0], []).append(one)
    return by_name


def acquire(
    spark: SparkSession,
    where: Layout,
    name: str,
    holder: str,
    *,
    answer_within: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Held:
    """Claim the lease and fence off whoever had it.

    Raises:
        LeaseHeldError: its holder answered within *answer_within* seconds.
    """
    found, at = state(spark, where, name)
    taken_over = found.holder is not None
    if taken_over:
        _write(spark, where, name, "challenge", found.epoch, holder)
        waited = 0.0
        while waited < answer_within:
            pause = min(0.5, answer_within - waited)
            sleep(pause)
            waited += pause
            found, at = state(spark, where, name, found, at)
            if found.holder is None:
                break
            if not found.challenged:
                raise LeaseHeldError(_held_message(name, found.holder))
    epoch = found.epoch + 1
    _write(spark, where, name, "claim", epoch, holder)
    found, at = state(spark, where, name, found, at)
    if found.holder != holder:
        raise LeaseHeldError(_held_message(name, found.holder))
    held = Held(name=name, epoch=epoch, holder=holder, taken_over=taken_over, at=at)
    outcomes.fence(spark, where, held.app, txn_version(epoch, 0))
    return held


def _held_message(name: str, holder: str | None) -> str:
    return (
        f"lease {name} is held by {holder}, which lives: one process a lease sends. Stop that one "
        "first (SIGTERM releases the lease), or let it work"
    )


def check(spark: SparkSession, where: Layout, held: Held) -> None:
    """Answer a challenge; refuse to go on where the lease is lost.

    Raises:
        LeaseLostError: another holder has claimed a later epoch.
    """
    ours = LeaseState(epoch=held.epoch, holder=held.holder)
    found, _ = state(spark, where, held.name, ours, held.at)
    if found.holder != held.holder or found.epoch != held.epoch:
        raise LeaseLostError(
            f"lease {held.name} was taken over by {found.holder} (epoch {found.epoch}, ours was "
            f"{held.epoch}): this process stops, the other goes on"
        )
    if found.challenged:
        _write(spark, where, held.name, "answer", held.epoch, held.holder)


def release(spark: SparkSession, where: Layout, held: Held) -> None:
    """Give the lease back, so that the next claim need not wait."""
    _write(spark, where, held.name, "release", held.epoch, held.holder)


def _write(
    spark: SparkSession, where: Layout, name: str, entry: Entry, epoch: int, holder: str
) -> None:
    append_rows(
        spark,
        where,
        LEASES,
        [
            {
                "name": name,
                "entry": entry,
                "epoch": epoch,
                "holder": holder,
                "recorded_at": datetime.now(UTC),
            }
        ],
    )
