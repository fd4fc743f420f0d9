"""A world for the protocol: tables in memory, actors that stop between instructions, a receiver.

The actors do what `streams` does with Spark, step by step, with the real core and the real
delivery; a `yield` is where anything else may happen.
"""

import asyncio
import json
import time
from collections import Counter, defaultdict, deque
from collections.abc import Generator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from functools import partial
from itertools import count

import pyarrow as pa
from pydantic import SecretStr

from pipeline.core.cipher import keyring
from pipeline.core.fold import MESSAGE_KINDS, OutcomeRow, Waiting, barred, fold, run_order
from pipeline.core.lease import LeaseRow, judge, txn_version
from pipeline.core.records import OUTCOMES
from pipeline.core.retry import RetryPolicy
from pipeline.core.seal import SealPolicy, seal
from pipeline.core.unseal import unseal
from pipeline.core.wire import Answer as HttpAnswer
from pipeline.core.wire import NoAnswer
from pipeline.delivery.deliver import deliver
from pipeline.delivery.plan import Barrier, Pace, Plan, Target

KEYS = keyring(bytes(32))
END = frozenset(MESSAGE_KINDS) - {"queued"}
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
Steps = Generator[None, None, None]


class Answer(Enum):
    """What the destination does with the next request."""

    OK = auto()
    FAILS = auto()
    LOSES_ANSWER = auto()
    REFUSES_KEY = auto()


class ViolationError(AssertionError):
    """A promise that was broken."""


class LostError(Exception):
    """The lease is somebody else's."""


@dataclass(frozen=True)
class Queue:
    """One version of the retry queue: rows and positions belong together."""

    waiting: dict[str, Waiting] = field(default_factory=dict)
    rows: dict[str, dict] = field(default_factory=dict)
    outcomes: int = 0
    commands: int = 0


@dataclass
class Actor:
    """A process."""

    name: str
    session: str
    steps: Steps


class World:
    """Source tables, the pipeline's tables, the destination, and who is at work."""

    def __init__(self) -> None:
        self.source: dict[str, list[list[dict]]] = {"a": [], "b": []}
        self.done = {"a": 0, "b": 0}
        self.books: dict[tuple[str, int], set[int]] = defaultdict(set)
        self.outcomes: list[list[dict]] = []
        self.queue = Queue()
        self.commands: list[tuple[str, str]] = []
        self.leases: list[LeaseRow] = []
        self.fence: dict[str, int] = {}
        self.answers: deque[Answer] = deque()
        self.key_good = True
        self.all_due = True
        self.actors: dict[str, Actor] = {}
        self.zombies: list[Actor] = []
        self.expired: set[str] = set()
        self.arrived: list[tuple[str, str]] = []
        self.first: dict[tuple[str, str], tuple[int, int]] = {}
        self.excused: Counter[str] = Counter()
        self.unrecorded: dict[str, list[str]] = defaultdict(list)
        self.refused: set[str] = set()
        self.replayed: set[str] = set()
        self.state: dict[str, tuple[int, str]] = {}
        self.truth: dict[str, Waiting] = {}
        self.entity: dict[str, tuple[str, str, int, int]] = {}
        self.posted = 0
        self._sessions = count()

    # what happens from outside

    def commit(self, feed: str, people: list[str], *, poison: bool = False) -> None:
        """Upstream writes; a poison message is refused for its content."""
        version = len(self.source[feed])
        rows = []
        for place, person in enumerate(people):
            event = f"{feed}.{version}.{place}" + (".poison" if poison and place == 0 else "")
            body = {"messageId": "0" * 26, "type": "track", "userId": person, "event": event}
            rows.append(
                {
                    "digest": f"{event:16}".encode()[:16],
                    "source_version": version,
                    "call_number": 0,
                    "entity": f"person:{person}",
                    "call_type": "track",
                    "event": event,
                    "body": json.dumps(body, separators=(",", ":")) + ",",
                }
            )
        self.source[feed].append(rows)

    def start(self, name: str) -> None:
        """A process begins."""
        session = f"{name}#{next(self._sessions)}"
        steps = self._drain(session) if name == "drain" else self._deliver(name, session)
        self.actors[name] = Actor(name, session, steps)

    def step(self, name: str) -> None:
        """One instruction of a process; one that lost its lease is started again."""
        try:
            next(self.actors[name].steps)
        except LostError:
            self._excuse(self.actors[name].session)
            self.start(name)

    def step_zombie(self, place: int, steps: int) -> None:
        """One that was thought dead goes on until it notices."""
        if self.zombies:
            one = self.zombies[place % len(self.zombies)]
            try:
                for _ in range(steps):
                    next(one.steps)
            except LostError:
                self._excuse(one.session)
                self.zombies.remove(one)

    def kill(self, name: str) -> None:
        """SIGKILL, and a restart."""
        self.actors[name].steps.close()
        self._excuse(self.actors[name].session)
        self.start(name)

    def take_over(self, name: str) -> None:
        """Thought dead, it lives: a second holder starts."""
        if len(self.zombies) < 2:
            self.zombies.append(self.actors[name])
            self.start(name)

    def command(self, place: int, verb: str) -> None:
        """An operator's wish about some message that has an outcome."""
        if self.state:
            ids = sorted(self.state)
            self.commands.append((verb, ids[place % len(ids)]))

    # the two jobs, as `streams` does it

    def _deliver(self, name: str, session: str) -> Steps:
        feed = name[-1]
        epoch = yield from self._acquire(name, session)
        counter = count(1)
        while True:
            version = self.done[feed]
            if version == len(self.source[feed]):
                yield
                continue
            rows = pa.Table.from_pylist(self.source[feed][version], schema=DRAFT)
            self.books[feed, version].add(rows.num_rows)
            yield
            unsent = 1
            while unsent:
                queue = self.queue
                yield
                after = self._after(queue.outcomes, len(self.outcomes))
                known = frozenset(
                    r["message_id"].encode()
                    for commit in self.outcomes
                    for r in commit
                    if r["kind"] in MESSAGE_KINDS
                    and (r["feed"], r["source_version"]) == (feed, version)
                )
                barrier = Barrier(
                    read_at=time.time(), barred=barred(queue.waiting, after), known=known
                )
                yield
                self._check(name, epoch, session)
                yield
                policy = SealPolicy(
                    feed=feed, envelope=b"{}", hashing_key=bytes(32), call_bytes=32_000
                )
                number = txn_version(epoch, next(counter))
                read = partial(seal, policy=policy)
                found = yield from self._send(session, rows, read, _plan(number, barrier))
                self._append(found, name, number, session)
                yield
                self._check(name, epoch, session)
                unsent = sum(r["unsent"] or 0 for r in found)
                while unsent and not self.key_good:
                    yield
            self.done[feed] = max(self.done[feed], version + 1)
            yield

    def _drain(self, session: str) -> Steps:
        epoch = yield from self._acquire("drain", session)
        counter = count(1)
        while True:
            self._check("drain", epoch, session)
            yield
            at = self.queue
            upto_command = len(self.commands)
            yield
            obeyed = self._obey(at.commands, upto_command)
            yield
            if obeyed:
                self._append(obeyed, "drain", txn_version(epoch, next(counter)), session)
                yield
            upto = len(self.outcomes)
            after = self._after(at.outcomes, upto)
            yield
            self._take_in(after, upto, upto_command)
            yield
            due = self._due()
            if not due or not self.key_good:
                yield
                continue
            self._check("drain", epoch, session)
            yield
            number = txn_version(epoch, next(counter))
            plan = _plan(number, Barrier(read_at=time.time()), job="drain")
            rows = pa.Table.from_pylist(due, schema=OUTCOMES.arrow)
            found = yield from self._send(session, rows, partial(unseal, keys=KEYS), plan)
            self._append(found, "drain", number, session)
            yield

    def _acquire(self, name: str, session: str) -> Generator[None, None, int]:
        before = judge(self._lease(name))
        yield
        self._write_lease(name, "claim", before.epoch + 1, session)
        yield
        now = judge(self._lease(name))
        if now.holder != session:
            raise LostError
        self.fence[name] = max(self.fence.get(name, 0), txn_version(now.epoch, 0))
        yield  # and wait: the one before sends nothing after this
        for one in self.zombies:
            if one.name == name:
                self.expired.add(one.session)
                self._excuse(one.session)
        return now.epoch

    def _write_lease(self, name: str, entry: str, epoch: int, session: str) -> None:
        row = LeaseRow(version=len(self.leases), entry=entry, epoch=epoch, holder=session)
        self.leases.append((name, row))

    def _lease(self, name: str) -> list[LeaseRow]:
        return [row for lease, row in self.leases if lease == name]

    def _check(self, name: str, epoch: int, session: str) -> None:
        now = judge(self._lease(name))
        if (now.holder, now.epoch) != (session, epoch):
            raise LostError

    def _send(self, session: str, rows: pa.Table, read, plan) -> Generator[None, None, list[dict]]:
        """The real delivery, stopped after each request."""

        @asynccontextmanager
        async def opened(_plan):
            yield Destination(self, session)

        async def collect():
            found = [b async for b in deliver(rows.to_batches(), plan, read, opened)]
            return pa.Table.from_batches(found, OUTCOMES.arrow).to_pylist()

        loop = asyncio.new_event_loop()
        task = loop.create_task(collect())
        try:
            while not task.done():
                before = self.posted
                loop.call_soon(loop.stop)
                loop.run_forever()
                if self.posted != before:
                    yield
            return task.result()
        except ExceptionGroup as group:
            raise group.exceptions[0] from group
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                loop.run_until_complete(task)
            loop.close()

    def _after(self, position: int, upto: int) -> list[OutcomeRow]:
        """What concerns the queue, as `tables.outcomes.message_rows` reads it."""
        return [
            _outcome(version, row)
            for version, commit in enumerate(self.outcomes[position:upto], position + 1)
            for row in commit
            if row["kind"] == "queued" or (row["kind"] in END and row["number"] > 1)
        ]

    def _take_in(self, after: list[OutcomeRow], upto: int, commands: int) -> None:
        """The MERGE: on the queue as it is now, whoever holds the lease."""
        waiting = fold(self.queue.waiting, after)
        rows = {i: self._row(i, one.number) for i, one in waiting.items()}
        self.queue = Queue(waiting, rows, upto, commands)

    def _row(self, message_id: str, number: int) -> dict:
        return next(
            row
            for commit in self.outcomes
            for row in commit
            if (row["message_id"], row["number"]) == (message_id, number)
        )

    def _due(self) -> list[dict]:
        runs: dict[bytes, list[Waiting]] = defaultdict(list)
        for one in sorted(self.queue.waiting.values(), key=run_order):
            runs[one.entity_hash].append(one)
        chosen = list(runs.values()) if self.all_due else list(runs.values())[:1]
        return [
            {**self.queue.rows[one.message_id], "position": one.position}
            for run in chosen
            for one in run
        ]

    def _obey(self, first: int, last: int) -> list[dict]:
        """One row a message that somebody wished something for, as its last wish has it."""
        newest = self._newest()
        kinds = {i: kind for i, (_, kind) in newest.items()}
        rows = {}
        for verb, one in self.commands[first:last]:
            if kinds.get(one) != ("dead" if verb == "replay" else "queued"):
                continue
            kinds[one] = "cancelled" if verb == "discard" else "queued"
            number = newest[one][0]
            row = {**self._row(one, number), "kind": kinds[one], "number": number + 1}
            rows[one] = row | {"reason": verb, "attempts": 0, "command_id": verb}
        return list(rows.values())

    def _newest(self) -> dict[str, tuple[int, str]]:
        found: dict[str, tuple[int, str]] = {}
        for commit in self.outcomes:
            for row in commit:
                if row["kind"] in MESSAGE_KINDS:
                    found[row["message_id"]] = max(
                        found.get(row["message_id"], (0, "")), (row["number"], row["kind"])
                    )
        return found

    # what is watched

    def _append(self, rows: list[dict], app: str, number: int, session: str) -> None:
        """One commit; Delta skips it in silence for an older epoch."""
        if number <= self.fence.get(app, 0):
            self._excuse(session)
            return
        self.fence[app] = number
        self.outcomes.append(rows)
        self.unrecorded[session].clear()
        for row in rows:
            if row["kind"] in MESSAGE_KINDS:
                self._recorded(row, app)

    def _recorded(self, row: dict, app: str) -> None:
        one, kind, number = row["message_id"], row["kind"], row["number"]
        before, was = self.state.get(one, (0, None))
        if number != before + 1:
            raise ViolationError(f"{one}: outcome {number} after {before}")
        replay = was == "dead" and row["command_id"] is not None
        if was in END and not replay:
            raise ViolationError(f"{one}: {was}, then {kind} by {app}")
        if replay:
            self.replayed.add(one)
        self.state[one] = (number, kind)
        self.truth = fold(self.truth, [_outcome(len(self.outcomes), row)])

    def arrive(self, call: dict, session: str) -> None:
        """The receiver has it; judged at once."""
        one = call["messageId"]
        feed, version, place = call["event"].split(".")[:3]
        key = (int(version), int(place))
        kind = self.state.get(one, (0, None))[1]
        if one in {i for i, _ in self.arrived}:
            if kind in END:
                raise ViolationError(f"{call['event']}: sent again though it is {kind}")
            if self.excused[one] < 1 and one not in self.replayed:
                raise ViolationError(
                    f"{call['event']}: arrives twice, with no kill and no lost answer"
                )
            self.excused[one] -= 1
        elif one not in self.replayed:
            newest = self.first.get((feed, call["userId"]), (-1, -1))
            if key < newest:
                raise ViolationError(f"{call['event']}: arrives after {feed}{newest}")
            self.first[feed, call["userId"]] = key
        self._overtakes(one, call["event"])
        self.arrived.append((one, call["event"]))
        self.entity[one] = (feed, call["userId"], *key)
        self.unrecorded[session].append(one)

    def _overtakes(self, one: str, event: str) -> None:
        """A queued message goes before one that was queued earlier for the same person."""
        if (own := self.truth.get(one)) is None:
            return
        seen = {i for i, _ in self.arrived} | self.refused | self.replayed
        for other in self.truth.values():
            same = other.entity_hash == own.entity_hash
            if same and run_order(other) < run_order(own) and other.message_id not in seen:
                raise ViolationError(f"{event}: sent before {other.message_id}, which waits longer")

    def _excuse(self, session: str) -> None:
        """What a session sent and could not record may come once more."""
        self.excused.update(self.unrecorded.pop(session, []))

    def excuse_lost(self, calls: list[dict]) -> None:
        """The answer was lost: the calls may come once more."""
        self.excused.update(call["messageId"] for call in calls)

    def check(self) -> None:
        """What must hold at every step, beside what is judged as it happens."""
        if any(len(counts) != 1 for counts in self.books.values()):
            raise ViolationError(f"booked differently: {dict(self.books)}")

    def settle(self) -> None:
        """All is well again: everything comes to its end, and the books close."""
        self.answers.clear()
        self.key_good = self.all_due = True
        for one in self.zombies:
            one.steps.close()
            self._excuse(one.session)
        self.zombies.clear()
        for _ in range(600):
            for name in self.actors:
                for _ in range(4):
                    self.step(name)
            ended = all(self.done[feed] == len(self.source[feed]) for feed in self.source)
            waits = self.truth or self.queue.waiting
            if ended and not waits and self.queue.commands == len(self.commands):
                break
        self._closed()

    def _closed(self) -> None:
        wanted = {(f, v): len(rows) for f in self.source for v, rows in enumerate(self.source[f])}
        found = Counter(
            (row["feed"], row["source_version"])
            for commit in self.outcomes
            for row in commit
            if row["kind"] in MESSAGE_KINDS and row["number"] == 1
        )
        if dict(found) != wanted or {k: {n} for k, n in wanted.items()} != dict(self.books):
            raise ViolationError(f"books do not close: {wanted}, {dict(found)}, {dict(self.books)}")
        if waits := [i for i, (_, kind) in self.state.items() if kind not in END]:
            raise ViolationError(f"queued for ever: {waits}")
        accepted = {i for i, (_, kind) in self.state.items() if kind == "accepted"}
        if accepted - {i for i, _ in self.arrived}:
            raise ViolationError("accepted, but never arrived")
        if self.queue.waiting:
            raise ViolationError(f"the queue keeps {sorted(self.queue.waiting)}")
        last: dict[tuple[str, str], tuple[int, int]] = {}
        top: dict[tuple[str, str], tuple[int, int]] = {}
        for one, _ in self.arrived:
            if one in accepted and one not in self.replayed:
                feed, person, *key = self.entity[one]
                last[feed, person] = (key[0], key[1])
                top[feed, person] = max(top.get((feed, person), (-1, -1)), last[feed, person])
        if last != top:
            raise ViolationError(f"final states: {last}, newest: {top}")

    def close(self) -> None:
        """End all processes."""
        for one in [*self.actors.values(), *self.zombies]:
            one.steps.close()


class Destination:
    """Answers as the world says."""

    def __init__(self, world: World, session: str) -> None:
        self.world, self.session = world, session

    async def post(self, request) -> HttpAnswer | NoAnswer:
        """One request."""
        await asyncio.sleep(0)
        world = self.world
        world.posted += 1
        if self.session in world.expired:
            return NoAnswer(reason="timeout")  # past its deadline it sends nothing
        calls = json.loads(request.body)["batch"]
        answer = world.answers.popleft() if world.answers else Answer.OK
        if answer is Answer.REFUSES_KEY:
            world.key_good = False
        if not world.key_good:
            return _status(401)
        if answer is Answer.FAILS:
            return _status(503)
        if any(call["event"].endswith("poison") for call in calls):
            if len(calls) == 1:
                world.refused.add(calls[0]["messageId"])
            return _status(400)
        for call in calls:
            world.arrive(call, self.session)
        if answer is Answer.LOSES_ANSWER:
            world.excuse_lost(calls)
            return NoAnswer(reason="reset")
        return _status(200)


def _status(code: int) -> HttpAnswer:
    return HttpAnswer(status=code, retry_after=None, text="")


def _outcome(version: int, row: dict) -> OutcomeRow:
    return OutcomeRow(
        version=version,
        message_id=row["message_id"],
        kind=row["kind"],
        number=row["number"],
        entity_hash=row["entity_hash"],
        position=row["position"],
    )


def _plan(number: int, barrier: Barrier, job: str = "deliver") -> Plan:
    return Plan(
        job=job,
        slice=number,
        target=Target(
            url="http://nowhere",
            write_key=SecretStr("k"),
            strict=True,
            connect_timeout=timedelta(seconds=1),
            total_timeout=timedelta(seconds=1),
        ),
        pace=Pace(
            rate=1e9,
            lanes=2,
            batch_bytes=260,
            quick_attempts=1,
            quick_initial=timedelta(),
            quick_max=timedelta(),
            breaker_failures=1000,
            dead_share=0.9,
            dead_count=1000,
        ),
        barrier=barrier,
        deadline=time.time() + 3600,
        retry=RetryPolicy(attempts=3),
        keys=KEYS,
        waive_ratio=job == "drain",
    )
