"""An installation in a folder: settings, feeds, keys, upstream's writers, and the two jobs."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import yaml
from deltalake import DeltaTable, write_deltalake

from pipeline.core.records import COMMANDS
from pipeline.sandbox.running import RunningSandbox

HERE = Path(__file__).parents[1]
PEOPLE = pa.schema([(name, pa.string()) for name in ("person_id", "email", "age")])
ORDERS = pa.schema(
    [
        ("order_id", pa.string()),
        ("person_id", pa.string()),
        ("total", pa.float64()),
        ("note", pa.string()),
    ]
)
FEEDS = {
    "people": {
        "source": "people",
        "start": "snapshot",
        "row_key": ["person_id"],
        "entity": {"person": "person_id"},
        "changes_only": True,
        "insert": {"type": "identify", "traits": {"email": "email", "age": "age"}},
        "delete": "delete_person",
    },
    "orders": {
        "source": "orders",
        "start": {"version": 0},
        "row_key": ["order_id"],
        "entity": {"person": "person_id"},
        "order_by": ["order_id"],
        "insert": {
            "type": "track",
            "event": "Order Placed",
            "properties": {"order_id": "order_id", "total": "total", "note": "note"},
        },
        "update": "nothing",
    },
}
POISON = "poison"
"""Calls of this person are refused (400), so that batches with one of them are bisected."""
SLICE_ROWS = 120
SLICE_DEADLINE = os.environ.get("CHAOS_SLICE_DEADLINE", "PT10S")
"""A machine that is busy with other things needs more."""
KEY = "chaos-key"


def write_settings(folder: Path, base_url: str) -> Path:
    """Settings file and feeds in *folder*; waits are short."""
    (folder / "feeds").mkdir(parents=True)
    for name, feed in FEEDS.items():
        (folder / "feeds" / f"{name}.yml").write_text(yaml.safe_dump(feed))
    settings = {
        "destination": {"base_url": base_url, "total_timeout": "PT2S"},
        "delivery": {
            "slice_rows": SLICE_ROWS,
            "slice_deadline": SLICE_DEADLINE,
            "clock_tolerance": "PT0.5S",
            "quick": {"attempts": 1},
            # All refused calls are one person's, so of one slice: no wrong mapping here.
            "holds": {"dead_count": 100_000},
            "breaker": {"probe_initial": "PT0.2S", "probe_max": "PT1S", "failures": 50},
        },
        "retry": {"wait_initial": "PT0.5S", "wait_max": "PT2S", "wait_min": "PT0.2S"},
        "lease": {"poll": "PT1S", "answer_within": "PT1.5S"},
        # A tick that finds nothing to do costs as much as one that does: leave the other job room.
        "triggers": {"deliver": "PT1S", "drain": "PT2S"},
        "sources": {"root": str(folder / "sources"), "feeds": str(folder / "feeds")},
        "tables": {"root": str(folder / "tables"), "checkpoints": str(folder / "checkpoints")},
    }
    conf = folder / "chaos.yml"
    conf.write_text(yaml.safe_dump(settings))
    return conf


def environment(**more: str) -> dict[str, str]:
    """What a job's process needs."""
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    # A process lives for a minute here: compiling its queries would take longer than they do.
    plain = (
        "--conf spark.sql.codegen.wholeStage=false --conf spark.sql.codegen.factoryMode=NO_CODEGEN"
    )
    key = "A" * 43 + "="
    return {
        **os.environ,
        "PYTHONPATH": path,
        "PIPELINE_API_KEY": KEY,
        "PIPELINE_ENCRYPTION_KEY": key,
        "PIPELINE_HASHING_KEY": key,
        "PYSPARK_SUBMIT_ARGS": f"{plain} pyspark-shell",
        **more,
    }


@dataclass(slots=True)
class Job:
    """One of the two jobs, started again and again."""

    name: str
    folder: Path
    conf: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self, fault: str | None = None, *options: str, **environ: str) -> None:
        """Start it in a session of its own, so that a kill reaches all its processes."""
        more = environ if fault is None else {"CHAOS_FAULT": fault, **environ}
        with (self.folder / f"{self.name}.log").open("ab") as log:
            log.write(f'{{"chaos": "start", "fault": "{fault}"}}\n'.encode())
            log.flush()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "chaos.job", self.name, "--conf", str(self.conf), *options],
                env=environment(**more),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self, seconds: float) -> int | None:
        """Its exit status, or None when it still runs."""
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """SIGKILL for all processes of its session."""
        assert self.process is not None
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if os.getsid(int(entry.name)) == self.process.pid:
                        os.kill(int(entry.name), signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    continue
        self.process.wait()

    def stop(self) -> int:
        """Ask it to stop; its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9


@dataclass(slots=True)
class Upstream:
    """Writes source tables with deltalake, without a JVM, in a thread; knows what it wrote."""

    folder: Path
    seed: int = 0
    people: dict[str, tuple[str, str]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    orders: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None
    _thread: threading.Thread | None = None

    def table(self, name: str) -> str:
        """Path of a source table."""
        return str(self.folder / "sources" / name)

    def append(self, name: str, schema: pa.Schema, rows: list[dict[str, Any]]) -> None:
        """One commit of inserts."""
        write_deltalake(
            self.table(name),
            pa.Table.from_pylist(rows, schema=schema),
            mode="append",
            configuration={"delta.enableChangeDataFeed": "true"},
        )

    def begin(self, people: int = 16) -> None:
        """The first rows of both tables."""
        rows = []
        for number in range(people):
            self.people[f"p{number:02}"] = (f"p{number}@example.com", "30")
            rows.append(self._person(f"p{number:02}"))
        self.append("people", PEOPLE, rows)
        self.order(20)

    def _person(self, name: str) -> dict[str, Any]:
        email, age = self.people[name]
        return {"person_id": name, "email": email, "age": age}

    def order(self, count: int) -> None:
        """Orders of people who are there, one too large for a call, one that is refused."""
        choose = random.Random(f"{self.seed}/{self.orders}")
        rows: list[dict[str, Any]] = []
        alive = sorted(set(self.people) - self.deleted)
        for place in range(count):
            self.orders += 1
            who = POISON if place == 3 else choose.choice(alive)
            note = "x" * 32_000 if place == 7 and self.orders % 3 == 0 else f"n{self.orders}"
            rows.append(
                {
                    "order_id": f"o{self.orders:06}",
                    "person_id": who,
                    "total": self.orders / 4,
                    "note": note,
                }
            )
        self.append("orders", ORDERS, rows)

    def change(self, number: int) -> None:
        """Update one person; sometimes delete one."""
        choose = random.Random(f"{self.seed}/change/{number}")
        who = choose.choice(sorted(set(self.people) - self.deleted))
        table = DeltaTable(self.table("people"))
        if number % 9 == 8 and len(self.people) - len(self.deleted) > 6:
            table.delete(f"person_id = '{who}'")
            self.deleted.add(who)
            return
        email, _ = self.people[who]
        self.people[who] = (email, str(20 + number))
        table.update(predicate=f"person_id = '{who}'", updates={"age": f"'{20 + number}'"})

    def run(self, pause: float = 2.5, ahead: int = 8) -> None:
        """Write on until told to stop, at most so many commits ahead of what was read."""

        def work() -> None:
            number = 0
            try:
                while not self.over.wait(pause):
                    if self._unread() > ahead:
                        continue
                    number += 1
                    self.change(number) if number % 2 else self.order(16)
            except BaseException as error:
                self.error = error
                raise

        self._thread = threading.Thread(target=work)
        self._thread.start()

    def _unread(self) -> int:
        """Commits that are in no books yet."""
        with suppress(Exception):  # not there yet
            books = DeltaTable(str(self.folder / "tables" / "books"))
            read = books.to_pyarrow_table(columns=["feed", "source_version"])
            booked = len(set(map(tuple, (row.values() for row in read.to_pylist()))))
            return sum(DeltaTable(self.table(n)).version() for n in ("people", "orders")) - booked
        return 0

    def end(self) -> None:
        """Stop writing."""
        self.over.set()
        if self._thread is not None:
            self._thread.join()
        if self.error is not None:
            raise RuntimeError("upstream could not write") from self.error


def wish(folder: Path, verb: str, message_id: str) -> None:
    """Ask for something, as an operator does, without a JVM."""
    row = {
        "command_id": str(uuid4()),
        "entry": "wish",
        "verb": verb,
        "message_id": message_id,
        "requested_by": "chaos",
        "recorded_at": pa.scalar(int(time.time() * 1e6), pa.timestamp("us", "UTC")).as_py(),
    }
    write_deltalake(
        str(folder / "tables" / COMMANDS.name),
        pa.Table.from_pylist([row], schema=COMMANDS.arrow),
        mode="append",
    )


@dataclass(frozen=True, slots=True)
class Shop:
    """All of it."""

    folder: Path
    conf: Path
    sandbox: RunningSandbox
    upstream: Upstream

    def job(self, name: str) -> Job:
        """`deliver` or `drain`."""
        return Job(name, self.folder, self.conf)


def make_shop(folder: Path, sandbox: RunningSandbox, seed: int = 0) -> Shop:
    """An installation with its first rows."""
    conf = write_settings(folder, sandbox.base_url)
    upstream = Upstream(folder, seed)
    upstream.begin()
    return Shop(folder, conf, sandbox, upstream)
