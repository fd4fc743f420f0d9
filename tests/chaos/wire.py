"""Messages through the real delivery over real sockets, round by round, until each has its end.

What Spark and Delta do in the jobs, a list does here: hundreds of rounds in seconds.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
from pydantic import SecretStr

from pipeline.core.cipher import keyring
from pipeline.core.fold import MESSAGE_KINDS, OutcomeRow, fold, run_order
from pipeline.core.rate import RatePolicy, adapt
from pipeline.core.records import OUTCOMES
from pipeline.core.retry import RetryPolicy
from pipeline.core.seal import SealPolicy, seal
from pipeline.core.unseal import unseal
from pipeline.delivery.deliver import deliver
from pipeline.delivery.plan import Barrier, Pace, Plan, Target

KEYS = keyring(bytes(32))
DRAFT = pa.schema(
    [
        ("digest", pa.binary()),
        ("source_version", pa.int64()),
        ("committed_at", pa.timestamp("us", tz="UTC")),
        ("call_number", pa.int32()),
        *((name, pa.string()) for name in ("entity", "call_type", "event", "body")),
        *((name, pa.string()) for name in ("kind", "stage", "reason", "detail")),
    ]
)
END = frozenset(MESSAGE_KINDS) - {"queued"}


@dataclass(slots=True)
class Line:
    """A feed and a queue in memory, and a destination at *url*."""

    url: str
    write_key: str
    timeout: float = 1.0
    lanes: int = 4
    batch_bytes: int = 3_000
    dead_count: int = 50
    breaker_failures: int = 5
    outcomes: list[list[dict]] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    """Why rounds held, one a round that did."""
    rounds: int = 0
    rate: float = 0.0

    def send(self, drafts: list[dict], seconds: float) -> None:
        """Deliver and drain in turns until every message has an end state, or time is up."""
        deadline = time.monotonic() + seconds
        slice_ = pa.Table.from_pylist(drafts, schema=DRAFT)
        policy = SealPolicy(feed="f", envelope=b"{}", hashing_key=bytes(32), call_bytes=32_000)
        unsent = True
        while time.monotonic() < deadline:
            self.rounds += 1
            waiting = self.waiting()
            if unsent:
                barrier = Barrier(
                    read_at=time.time(),
                    barred=frozenset(w.entity_hash for w in waiting.values()),
                    known=frozenset(i.encode() for i in self.newest()),
                )
                unsent = self._round(slice_, partial(seal, policy=policy), barrier)
                if {"refused_share", "dead_share"} & set(self.holds):
                    return  # a person is to look
            if waiting := self.waiting():
                rows = self._rows(sorted(waiting.values(), key=run_order))
                self._round(rows, partial(unseal, keys=KEYS), Barrier(read_at=time.time()), "drain")
            if not unsent and not self.waiting():
                return
            time.sleep(0.02)

    def newest(self) -> dict[str, dict]:
        """The newest outcome of each message."""
        found: dict[str, dict] = {}
        for row in self._messages():
            found[row["message_id"]] = row
        return found

    def kinds(self) -> dict[str, str]:
        """The state of each message, by its event."""
        return {row["event"]: row["kind"] for row in self.newest().values()}

    def requests(self) -> list[dict]:
        """The request log."""
        return [row for commit in self.outcomes for row in commit if row["kind"] == "request"]

    def waiting(self):
        """The retry queue."""
        return fold(
            {},
            [
                OutcomeRow(
                    version=version,
                    message_id=row["message_id"],
                    kind=row["kind"],
                    number=row["number"],
                    entity_hash=row["entity_hash"],
                    position=row["position"],
                )
                for version, commit in enumerate(self.outcomes)
                for row in commit
                if row["kind"] in MESSAGE_KINDS
            ],
        )

    def _messages(self) -> Iterator[dict]:
        for commit in self.outcomes:
            yield from (row for row in commit if row["kind"] in MESSAGE_KINDS)

    def _rows(self, run) -> pa.Table:
        newest = self.newest()
        rows = [{**newest[one.message_id], "position": one.position} for one in run]
        return pa.Table.from_pylist(rows, schema=OUTCOMES.arrow)

    def _round(self, rows: pa.Table, read, barrier: Barrier, job: str = "deliver") -> bool:
        """One slice; whether something of it is unsent."""
        plan = self._plan(barrier, job)

        async def collect() -> list[dict]:
            found = [b async for b in deliver(rows.to_batches(), plan, read)]
            return pa.Table.from_batches(found, OUTCOMES.arrow).to_pylist()

        found = asyncio.run(collect())
        self.outcomes.append(found)
        troubled = any(
            r["kind"] == "request" and (r["status"] is None or r["status"] in {429, 503})
            for r in found
        )
        policy = RatePolicy()
        self.rate = adapt(policy, self.rate or 950.0, 950.0, trouble=troubled)
        tasks = [row for row in found if row["kind"] == "task"]
        if job == "deliver":
            self.holds.extend(row["reason"] for row in tasks if row["reason"])
        return any(row["unsent"] for row in tasks)

    def _plan(self, barrier: Barrier, job: str) -> Plan:
        pace = Pace(
            rate=self.rate or 950.0,
            lanes=self.lanes,
            batch_bytes=self.batch_bytes,
            quick_attempts=2,
            quick_initial=timedelta(milliseconds=5),
            quick_max=timedelta(milliseconds=20),
            breaker_failures=self.breaker_failures,
            dead_share=0.2,
            dead_count=self.dead_count,
        )
        target = Target(
            url=self.url,
            write_key=SecretStr(self.write_key),
            strict=True,
            connect_timeout=timedelta(seconds=1),
            total_timeout=timedelta(seconds=self.timeout),
        )
        plan = Plan(
            job=job,
            slice=len(self.outcomes),
            target=target,
            pace=pace,
            barrier=barrier,
            deadline=time.time() + 30,
            retry=RetryPolicy(),
            keys=KEYS,
        )
        return replace(plan, waive_ratio=job == "drain")


def drafts(count: int, people: int, size: int = 60) -> list[dict]:
    """Events of *people* persons, in order; each says its own place."""
    rows = []
    for number in range(count):
        who, event = f"p{number % people:03}", f"e{number:06}"
        body = {"messageId": "0" * 26, "type": "track", "userId": who, "event": event}
        body["properties"] = {"number": number, "text": "x" * size}
        rows.append(
            {
                "digest": f"{number:016}".encode(),
                "source_version": number // 50,
                "call_number": 0,
                "entity": f"person:{who}",
                "call_type": "track",
                "event": event,
                "body": json.dumps(body, separators=(",", ":")) + ",",
            }
        )
    return rows


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the receiver has, from its SQLite file alone."""

    events: tuple[str, ...]
    """In the order of first arrivals."""
    repeated: int
    differing: int
    out_of_order: int


def arrived(database: Path) -> Arrived:
    """Read the receiver's file."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    call = "substr(r.body, a.offset + 1, a.bytes)"
    rows = connection.execute(
        f"SELECT a.message_id, a.user_id, a.event, {call} FROM arrivals a"
        " JOIN requests r USING (request) WHERE a.dropped IS NULL ORDER BY a.seq"
    ).fetchall()
    connection.close()
    first: dict[str, bytes] = {}
    newest: dict[str, str] = {}
    events: list[str] = []
    differing = wrong = 0
    for message_id, who, event, body in rows:
        if message_id in first:
            differing += body != first[message_id]
            continue
        first[message_id] = body
        events.append(event)
        wrong += event < newest.get(who, "")
        newest[who] = max(event, newest.get(who, ""))
    return Arrived(tuple(events), len(rows) - len(first), differing, wrong)
