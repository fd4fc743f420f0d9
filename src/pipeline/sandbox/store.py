"""Keep what arrived, in SQLite.

All of it happens in the server's own thread: a writer thread would trade the interpreter's lock
with the event loop once a row, which is dearer than the write. Arrivals are appended with each
request; messages and people are folded from them in bulk, at each flush and before each question.
"""

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from pipeline.sandbox.apply import apply
from pipeline.sandbox.fold import fold
from pipeline.sandbox.judge import Verdict
from pipeline.sandbox.schema import ALL, PRAGMAS, QUESTION_INDEXES, TABLES

FOLD_ROWS: Final = 20_000
"""Arrivals that are folded at once when nobody asks: few pauses, each short."""


class Received(NamedTuple):
    """A request, as it is logged."""

    received_at: float
    endpoint: str
    answer: str
    """The status, or why there was none: `reset`, `timeout`."""
    strict: bool
    size: int
    calls: int
    duration_ms: float
    errors: tuple[str, ...]
    failure: int | None
    body: bytes | None


class Tally(NamedTuple):
    """What arrivals are counted by."""

    type: str | None
    event: str | None
    dropped: str | None


class Store:
    """The log of requests and arrivals, and what follows from it."""

    def __init__(self, path: Path | None) -> None:
        self.database = sqlite3.connect(path or ":memory:", isolation_level=None)
        for pragma in PRAGMAS:
            self.database.execute(pragma)
        self.database.executescript(TABLES)
        self._recall()
        self._indexed = False
        self._dirty = False

    def _recall(self) -> None:
        """Take up what an earlier run left in the file."""
        one = self.database.execute
        self._seq: int = one("SELECT coalesce(max(seq), 0) FROM arrivals").fetchone()[0]
        self._request: int = one("SELECT coalesce(max(request), 0) FROM requests").fetchone()[0]
        self._folded: int = one("SELECT coalesce(max(seq), 0) FROM folded").fetchone()[0]
        rows = one("SELECT type, event, dropped, count(*) FROM arrivals GROUP BY 1, 2, 3")
        self.tallies: Counter[Tally] = Counter({Tally(*row[:3]): row[3] for row in rows})
        self.answers: Counter[str] = Counter(
            dict(one("SELECT answer, count(*) FROM requests GROUP BY 1"))
        )
        self.suppressed = frozenset(
            row[0] for row in one("SELECT user_id FROM people WHERE suppressed")
        )

    def keep(self, received: Received, verdict: Verdict | None) -> None:
        """Log a request, and what became of its calls if anything did."""
        self._begin()
        self._request += 1
        errors = msgspec.json.encode(received.errors).decode() if received.errors else None
        self.database.execute(
            "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self._request, *received[:7], errors, *received[8:]),
        )
        self.answers[received.answer] += 1
        if verdict is None or not verdict.arrivals:
            return
        first = self._seq + 1
        request = self._request
        self.database.executemany(
            "INSERT INTO arrivals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(seq, request, *a) for seq, a in enumerate(verdict.arrivals, start=first)],
        )
        self._seq += len(verdict.arrivals)
        self.tallies.update([Tally(a[1], a[4], a[8]) for a in verdict.arrivals])
        for place, effect in verdict.effects:
            apply(self.database, effect, first + place)
        self.suppressed = verdict.suppressed

    def _begin(self) -> None:
        if not self._dirty:
            self.database.execute("BEGIN")
            self._dirty = True

    def flush(self) -> None:
        """Commit what was kept; fold what has gathered."""
        if self._seq - self._folded >= FOLD_ROWS:
            self.settle()
        elif self._dirty:
            self.database.execute("COMMIT")
            self._dirty = False

    def settle(self) -> None:
        """Fold and commit all that was kept, so that a question sees it."""
        if self._folded < self._seq:
            self._begin()
            fold(self.database, self._folded)
            self._folded = self._seq
            self.database.execute("DELETE FROM folded")
            self.database.execute("INSERT INTO folded VALUES (?)", (self._folded,))
        if self._dirty:
            self.database.execute("COMMIT")
            self._dirty = False

    def index(self) -> None:
        """Make the indexes that questions about one message or person need."""
        self.settle()
        if not self._indexed:
            self.database.executescript(QUESTION_INDEXES)
            self._indexed = True

    def reset(self) -> None:
        """Forget everything."""
        self._begin()
        for table in ALL:
            self.database.execute(f"DELETE FROM {table}")
        self.database.execute("COMMIT")
        self._dirty = False
        self._recall()

    def close(self) -> None:
        """Write all and close the file."""
        self.settle()
        self.database.close()
