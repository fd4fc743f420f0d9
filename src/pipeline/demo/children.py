"""The jobs, each in a process of its own, as they run in production."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deltalake import DeltaTable

from pipeline.core.records import TABLES

STOP_SECONDS: Final = 90.0
START_SECONDS: Final = 180.0
"""For a JVM on a slow machine."""
TAIL: Final = 25


class ChildError(Exception):
    """A job ended before it was asked to, or with an error; the message has its last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A job that runs."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Refuse to go on without it.

        Raises:
            ChildError: it has ended.
        """
        if (status := self.process.poll()) is not None:
            raise ChildError(
                f"{self.name} ended by itself with status {status}; the end of {self.log}:\n"
                f"{tail(self.log)}"
            )

    def ask_to_stop(self) -> None:
        """SIGTERM: it records what was sent, and ends."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def stopped(self, seconds: float = STOP_SECONDS) -> int:
        """Its exit status, once it has ended; it is killed when it takes too long."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            return self.process.wait()


@contextmanager
def running(name: str, conf: Path, folder: Path, environment: Mapping[str, str]) -> Iterator[Child]:
    """Start a job, and end it whatever happens.

    It is in a session of its own, so that Ctrl-C reaches only who then asks it to stop.
    """
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603  our own jobs
            [sys.executable, f"jobs/{name}.py", "--conf", str(conf)],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    child = Child(name=name, process=process, log=log)
    try:
        yield child
    finally:
        child.ask_to_stop()
        child.stopped()


def wait_for_tables(child: Child, tables: Path, seconds: float = START_SECONDS) -> None:
    """Wait until a job has made the pipeline's tables: two jobs must not make them at once.

    Raises:
        ChildError: it ended before, or took far too long.
    """
    end = time.monotonic() + seconds
    while not all(DeltaTable.is_deltatable(str(tables / table.name)) for table in TABLES):
        child.check()
        if time.monotonic() > end:
            raise ChildError(f"{child.name} has made no tables in {seconds:.0f} s: see {child.log}")
        time.sleep(0.2)


def tail(log: Path, lines: int = TAIL) -> str:
    """The last lines of a log."""
    found = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(line[:400] for line in found[-lines:])
