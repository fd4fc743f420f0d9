"""Run a sandbox in a process of its own, for as long as a block of code lasts."""

import os
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from pipeline.sandbox.__main__ import KEY_VARIABLE
from pipeline.sandbox.client import SandboxClient
from pipeline.sandbox.config import Limits, Region
from pipeline.sandbox.failure import Failure
from pipeline.sandbox.server import LISTENING

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 15.0
_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSandbox:
    """A sandbox that listens."""

    base_url: str
    """Such as `http://127.0.0.1:40123`, without `/v1`."""
    write_key: str
    database: Path
    process: int
    """Process id."""
    client: SandboxClient


@contextmanager
def running_sandbox(
    *,
    write_key: str = "sandbox-write-key",
    database: Path | None = None,
    port: int = 0,
    region: Region = "us",
    limits: Limits = _LIMITS,
    failures: Sequence[Failure] = (),
) -> Iterator[RunningSandbox]:
    """Start a sandbox on loopback, wait until it listens, and stop it with SIGTERM at the end.

    Args:
        write_key: The key that it lets in.
        database: Its SQLite file, which stays; without it, one that is removed at the end.
        port: 0 takes a free one.
        region: What it stands for.
        limits: What it takes: sizes and rate.
        failures: Failures scheduled from the start.

    Raises:
        RuntimeError: It did not start.
    """
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        file = database or Path(folder, "sandbox.db")
        plan = Path(folder, "failures.json")
        plan.write_bytes(msgspec.json.encode(list(failures)))
        command = [
            *(sys.executable, "-m", "pipeline.sandbox", "--port", str(port)),
            *("--region", region, "--database", str(file), "--failures", str(plan)),
            *("--rate-requests", str(limits.rate_requests)),
            *("--rate-seconds", str(limits.rate_seconds)),
            *("--call-bytes", str(limits.call_bytes)),
            *("--batch-bytes", str(limits.batch_bytes)),
            "--alias-in-batch" if limits.alias_in_batch else "--no-alias-in-batch",
        ]
        # The key goes by the environment: arguments can be read by everyone on the machine.
        process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            env={**os.environ, KEY_VARIABLE: write_key},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            base_url = _listening(process)
            yield RunningSandbox(
                base_url=base_url,
                write_key=write_key,
                database=file,
                process=process.pid,
                client=SandboxClient(base_url),
            )
        finally:
            _stop(process)


def _listening(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None  # noqa: S101 - it was opened as a pipe
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if selector.select(_START_SECONDS) else ""
    if not line.startswith(LISTENING):
        raise RuntimeError(
            f"the sandbox did not start within {_START_SECONDS:.0f} s"
            f" (exit status {process.poll()}): see what it wrote to standard error"
        )
    return line.removeprefix(LISTENING).strip()


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
