"""How far the first load of a feed's table is: a small file beside the checkpoints."""

import json
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Progress:
    """How far a first load is."""

    version: int
    """The snapshot's."""
    parts: int
    after: int
    """Changes up to this version were delivered."""
    done: int = 0
    """Parts that are recorded whole."""
    ranges: list[list[int]] = field(default_factory=list)
    """Numbers between which all appends were of parts that are done."""

    def finish(self, first: int, last: int) -> None:
        """A part is recorded whole; its appends were numbered from *first* to *last*."""
        self.done += 1
        if self.ranges and self.ranges[-1][1] + 1 == first:
            self.ranges[-1][1] = last
        else:
            self.ranges.append([first, last])

    def write(self, file: Path) -> None:
        """Keep it; a reader sees the old or the new."""
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        names = ("version", "parts", "after", "done", "ranges")
        new.write_text(json.dumps({name: getattr(self, name) for name in names}), encoding="utf-8")
        new.replace(file)


def progress_file(checkpoints: str, feed: str) -> Path:
    """Where the progress of a feed's first load is kept, while it goes on."""
    return Path(checkpoints.rstrip("/"), "backfill", f"{feed}.json")


def read_progress(file: Path, version: int | None = None) -> Progress | None:
    """What was kept of a first load, of the snapshot of *version* where one is given."""
    try:
        kept = Progress(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return kept if version in (None, kept.version) else None
