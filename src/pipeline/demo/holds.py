"""Which holds are on, told from the jobs' logs."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class LogReader:
    """Reads a job's log as it grows, and keeps what holds and what it said last."""

    log: Path
    offset: int = 0
    rest: bytes = b""
    holds: dict[str, str] = field(default_factory=dict)
    """Reason by feed, or by job."""
    said: str = ""

    def read(self) -> None:
        """Take in what was written since the last time."""
        if not self.log.exists():
            return
        with self.log.open("rb") as file:
            file.seek(self.offset)
            new = file.read()
        self.offset += len(new)
        *lines, self.rest = (self.rest + new).split(b"\n")
        for line in lines:
            if line.startswith(b"{"):
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return
        if not isinstance(event, dict) or "event" not in event:
            return
        who = str(event.get("feed") or event.get("job") or event.get("query") or self.log.stem)
        match event["event"]:
            case "hold.began" | "hold.needs_release":
                self.holds[who] = _reason(event)
            case "hold.ended":
                self.holds.pop(who, None)
            case _:
                pass
        self.said = f"{who}: {event['event']}"


def _reason(event: dict[str, Any]) -> str:
    reasons = event.get("reasons") or [event.get("reason", "")]
    return ", ".join(map(str, reasons))
