"""What became of each message, folded from the outcomes as they are written. No JVM."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from pipeline.core import packed
from pipeline.core.fold import MESSAGE_KINDS

QUEUED: Final = "queued"
ACCEPTED: Final = "accepted"
COLUMNS: Final = ("message_id", "feed", "number", "status", "circuit", "job", "stage", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The outcome of a message that holds: the one with the highest number."""

    number: int
    kind: str
    feed: str
    why: str
    """Stage and reason, where it was not accepted."""


@dataclass(slots=True)
class Ledger:
    """Newest outcome of each message, and what is worth a look beside it."""

    newest: dict[str, Newest] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Messages by feed and kind."""
    requests: Counter[str] = field(default_factory=Counter)
    """Requests by status, or by what happened when no answer came."""
    circuits: dict[str, str] = field(default_factory=dict)
    """Circuit state by job, at the end of its last task."""

    def take(self, kind: str, rows: list[dict[str, Any]]) -> None:
        """Fold in rows of one kind, in any order."""
        for row in rows:
            if kind in MESSAGE_KINDS:
                self._take_message(kind, row)
            elif kind == "request":
                self.requests[str(row["status"] or row["reason"])] += 1
            elif row["circuit"]:
                self.circuits[row["job"]] = row["circuit"]

    def _take_message(self, kind: str, row: dict[str, Any]) -> None:
        before = self.newest.get(row["message_id"])
        if before is not None:
            if before.number >= row["number"]:
                return
            self.counts[before.feed, before.kind] -= 1
        why = " ".join(filter(None, (row["stage"], row["reason"])))
        self.newest[row["message_id"]] = Newest(
            number=row["number"], kind=kind, feed=row["feed"], why=why
        )
        self.counts[row["feed"], kind] += 1

    def count(self, kind: str) -> int:
        """Messages of all feeds whose newest outcome is of *kind*."""
        return sum(n for (_, k), n in self.counts.items() if k == kind)

    @property
    def final(self) -> int:
        """Messages that wait for nothing any more."""
        return sum(n for (_, k), n in self.counts.items() if k != QUEUED)

    def ids(self, kind: str) -> set[str]:
        """Ids of the messages whose newest outcome is of *kind*."""
        return {id_ for id_, one in self.newest.items() if one.kind == kind}


@dataclass(slots=True)
class OutcomesReader:
    """Reads each file of the outcomes table once, as commits add it."""

    path: Path
    table: DeltaTable | None = None
    version: int = -1
    seen: set[str] = field(default_factory=set)

    def read_into(self, ledger: Ledger) -> None:
        """Fold what was appended since the last time."""
        if self.table is None:
            if not DeltaTable.is_deltatable(str(self.path)):
                return
            self.table = DeltaTable(str(self.path))
        self.table.update_incremental()
        if self.table.version() == self.version:
            return
        added = pa.table(self.table.get_add_actions(flatten=True))
        paths, kinds = added["path"].to_pylist(), added["partition.kind"].to_pylist()
        for path, kind in zip(paths, kinds, strict=True):
            if path not in self.seen:
                rows = pq.ParquetFile(self.path / path).read([*COLUMNS, *packed.COLUMNS])
                if packed.COUNT in rows.column_names:  # a file may be older than they are
                    rows = packed.unpack(rows)
                ledger.take(kind, rows.to_pylist())
                self.seen.add(path)
        self.version = self.table.version()
