"""What the day is played on: settings, feeds, a sandbox, the two jobs, a dashboard, a webhook."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pyarrow as pa
import yaml
from deltalake import DeltaTable, write_deltalake

from pipeline.core import packed
from pipeline.core.records import BOOKS, TABLES
from pipeline.sandbox.running import RunningSandbox

KEY = "game-day"
ORDERS = pa.schema(
    [("id", pa.string()), ("person", pa.string()), ("total", pa.float64()), ("note", pa.string())]
)
FEED: dict[str, Any] = {
    "start": {"version": 0},
    "row_key": ["id"],
    "entity": {"person": "person"},
    "order_by": ["id"],
    "insert": {
        "type": "track",
        "event": "Order Placed",
        "properties": {"id": "id", "total": "total", "note": "note"},
    },
    "update": "nothing",
}
FEEDS = ("orders", "visits")
USUAL = 3_000
"""Changes of `visits` an hour, in the weeks that are planted in the books."""
WATCH = 10
"""Seconds between two looks; a minute in production."""
DASHBOARD = 8897


@dataclass(slots=True)
class Installation:
    """One folder, and all that runs on it."""

    folder: Path
    sandbox: RunningSandbox
    conf: Path
    told: list[dict[str, Any]] = field(default_factory=list)
    jobs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FEEDS, 0))
    newest: dict[str, float] = field(default_factory=dict)
    """When each source was written last."""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def tables(self) -> Path:
        """Where the pipeline's own tables are: a disk of their own, where that can be had."""
        return self.folder / "disk" / "tables"

    def feed(self, name: str, **changed: Any) -> None:
        """Write a feed's file."""
        text = yaml.safe_dump({"source": name, **FEED, **changed})
        (self.folder / "feeds" / f"{name}.yml").write_text(text)

    def write(self, name: str, rows: int, **changed: Any) -> None:
        """One commit of a source table."""
        first = self.written[name]
        self.written[name] += rows
        made = [
            {"id": f"{name}{n:07}", "person": f"p{n % 997}", "total": 1.0, "note": "n"} | changed
            for n in range(first, first + rows)
        ]
        write_deltalake(
            str(self.folder / "sources" / name),
            pa.Table.from_pylist(made, schema=ORDERS),
            mode="append",
            configuration={"delta.enableChangeDataFeed": "true"},
        )
        self.newest[name] = time.time()

    def start(self, name: str, *words: str) -> None:
        """Start a command of the pipeline in a session of its own."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.jobs[name] = subprocess.Popen(
                [sys.executable, "-m", "pipeline.cli", name, "--conf", str(self.conf), *words],
                env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to all processes of a job."""
        session = self.jobs[name].pid
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if os.getsid(int(entry.name)) == session:
                        os.kill(int(entry.name), number)
                except (ProcessLookupError, PermissionError):
                    continue

    def stop(self, name: str) -> int:
        """Ask a job to end; its exit status."""
        process = self.jobs.pop(name)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(120)
        except subprocess.TimeoutExpired:
            self.jobs[name] = process
            self.kill(name)
            return -9

    def kill(self, name: str) -> None:
        """End a job without asking."""
        self.signal(name, signal.SIGKILL)
        self.jobs.pop(name).wait()

    def run(self, *words: str) -> str:
        """A command, as an operator gives it; what it says."""
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *words, "--conf", str(self.conf)],
            env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"pipeline {' '.join(words)}: {done.stdout}{done.stderr}"[-2000:])
        return done.stdout

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of one of the pipeline's tables, of outcomes one a message; none as yet."""
        path = str(self.tables / table)
        if not DeltaTable.is_deltatable(path):
            return []
        found = DeltaTable(path).to_pyarrow_table()
        if packed.COUNT in found.column_names:
            found = packed.unpack(found)
        return found.to_pylist()  # type: ignore[no-any-return]

    def overview(self, since: float = 0.0) -> str:
        """What the first line and the counters of the dashboard say; nothing if read before."""
        with urlopen(f"http://127.0.0.1:{DASHBOARD}/overview", timeout=30) as answer:
            page = answer.read().decode()
        at = re.search(r'<time datetime="([^"]*)"', page)
        if at is None or datetime.fromisoformat(at[1]).timestamp() < since:
            return ""
        said = re.search(r'<p class="said[^>]*>([^<]*)</p>', page)
        counters = re.findall(
            r'<section class="counter"[^>]*><h3>([^<]*)</h3><p class="value[^>]*>([^<]*)</p>', page
        )
        shown = "; ".join(
            f"{title}: {value}" for title, value in counters if value not in {"0", "-"}
        )
        return f"{said[1] if said else 'nothing yet'}" + (f" ({shown})" if shown else "")

    def plant_weeks(self) -> None:
        """Five weeks of the usual hours of `visits` in the books, which would take five weeks."""
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        rows = [
            {"feed": "visits", "table_id": "planted", "source_version": -n, "origin": "commit",
             "changes": USUAL, "deletes": 0, "messages": 0,
             "committed_at": hour - timedelta(hours=n), "booked_at": hour - timedelta(hours=n)}
            for n in range(2, 24 * 7 * 5)
        ]  # fmt: skip
        made = pa.Table.from_pylist(rows, schema=BOOKS.arrow)
        write_deltalake(str(self.tables / BOOKS.name), made, mode="append")

    def unplant(self) -> None:
        """Take them out again, before the books are closed."""
        DeltaTable(str(self.tables / BOOKS.name)).delete("source_version < -1")


@contextmanager
def installation(folder: Path, sandbox: RunningSandbox) -> Iterator[Installation]:
    """All of it, with nothing running yet; at the end nothing runs any more."""
    (folder / "feeds").mkdir(parents=True)
    told: list[dict[str, Any]] = []
    with _listening(told) as hook:
        conf = folder / "game-day.yml"
        conf.write_text(yaml.safe_dump(_settings(folder, sandbox.base_url)))
        key = "A" * 43 + "="
        one = Installation(folder=folder, sandbox=sandbox, conf=conf, told=told)
        one.environment = {
            **os.environ,
            "PIPELINE_API_KEY": KEY,
            "PIPELINE_ENCRYPTION_KEY": key,
            "PIPELINE_HASHING_KEY": key,
            "PIPELINE__OBSERVE__WEBHOOKS": json.dumps([{"kind": "generic", "url": hook}]),
        }
        for name in FEEDS:
            one.feed(name)
        try:
            yield one
        finally:
            for name in tuple(one.jobs):
                one.kill(name)


def _settings(folder: Path, base_url: str) -> dict[str, Any]:
    return {
        "destination": {"base_url": base_url, "total_timeout": "PT20S"},
        "delivery": {"clock_tolerance": "PT0.5S", "slice_deadline": "PT60S"},
        "retry": {"wait_initial": "PT5S", "wait_max": "PT30S"},
        "lease": {"poll": "PT1S", "answer_within": "PT5S"},
        "triggers": {"deliver": "PT2S", "drain": "PT2S"},
        "observe": {"watch_every": f"PT{WATCH}S", "progress_every": "PT10S"},
        "sources": {"root": str(folder / "sources"), "feeds": str(folder / "feeds")},
        "tables": {
            "root": str(folder / "disk" / "tables"),
            "checkpoints": str(folder / "checkpoints"),
        },
    }


@contextmanager
def _listening(told: list[dict[str, Any]]) -> Iterator[str]:
    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            told[-1]["at"] = time.time()
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


def until(says: str, holds: Any, seconds: float = 600.0, every: float = 1.0) -> Any:
    """What *holds* gives, once it is true.

    Raises:
        TimeoutError: it never was.
    """
    end = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > end:
            raise TimeoutError(f"{says}: not within {seconds:.0f} s")
        time.sleep(every)
    return found


def all_there(one: Installation, names: Sequence[str] = tuple(t.name for t in TABLES)) -> bool:
    """Whether the pipeline's tables have been made."""
    return all(DeltaTable.is_deltatable(str(one.tables / name)) for name in names)
