"""Start a receiver in a process of its own, and ask it what it got."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def receiver(latency_ms: float = 0) -> Iterator[str]:
    """The receiver's URL."""
    script = Path(__file__).parent / "receiver.py"
    process = subprocess.Popen(
        [sys.executable, str(script), "0", str(latency_ms)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None  # noqa: S101  it was asked for
    port = process.stdout.readline().split()[-1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def received(url: str) -> dict[str, int]:
    """Calls, bytes and requests that the receiver got so far."""
    with urllib.request.urlopen(f"{url}/count") as answer:
        counts: dict[str, int] = json.loads(answer.read())
    return counts
