"""What a network does, made by Toxiproxy between the client and the sandbox."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chaos.toxiproxy import Toxiproxy, free_port
from chaos.wire import END, Arrived, Line, arrived, drafts
from pipeline.sandbox.running import running_sandbox

TOXICS: dict[str, dict[str, Any]] = {
    "latency and jitter": {"type": "latency", "attributes": {"latency": 120, "jitter": 100}},
    "bandwidth of 40 KB/s": {
        "type": "bandwidth", "stream": "upstream", "attributes": {"rate": 40},
    },
    "timeout, nothing comes back": {
        "type": "timeout", "toxicity": 0.5, "attributes": {"timeout": 300},
    },
    "connection reset": {"type": "reset_peer", "toxicity": 0.5, "attributes": {"timeout": 10}},
    "sliced answers": {
        "type": "slicer", "attributes": {"average_size": 8, "size_variation": 4, "delay": 500},
    },
    "cut-off answers": {"type": "limit_data", "toxicity": 0.5, "attributes": {"bytes": 40}},
    "cut-off requests": {
        "type": "limit_data", "stream": "upstream", "toxicity": 0.5, "attributes": {"bytes": 2500},
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Weathered:
    """What came of one toxic."""

    messages: int
    lost: int
    arrived: Arrived
    bound: int
    """Calls of requests whose answer was lost: so many may have come twice."""
    rounds: int

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, order was kept, and repeats are the same and within bounds."""
        found = self.arrived
        good = not (self.lost or found.out_of_order or found.differing)
        return good and found.repeated <= self.bound


def weather(
    proxy: Toxiproxy, name: str, folder: Path, *, messages: int, seconds: float
) -> Weathered:
    """Send *messages* through one toxic that ends after *seconds*; then all must come right."""
    with running_sandbox(write_key="k", database=folder / "sandbox.db") as sandbox:
        port = free_port()
        proxy.proxy(str(port), port, urlsplit(sandbox.base_url).netloc)
        toxic = TOXICS[name]
        proxy.toxic(str(port), name="toxic", **toxic)
        line = Line(f"http://127.0.0.1:{port}", "k", timeout=0.8)
        ends = threading.Timer(seconds, proxy.reset)
        ends.start()
        try:
            line.send(drafts(messages, people=25), seconds=seconds + 30)
        finally:
            ends.cancel()
            proxy.reset()
        sandbox.client.counts()  # waits until what was answered is in the file
        found = arrived(folder / "sandbox.db")
    kinds = line.kinds()
    ended = {event for event, kind in kinds.items() if kind in END}
    accepted = {event for event, kind in kinds.items() if kind == "accepted"}
    missing = messages - len(ended) + len(accepted ^ set(found.events))
    unanswered = sum(row["calls"] for row in line.requests() if row["status"] is None)
    return Weathered(messages, missing, found, unanswered, line.rounds)
