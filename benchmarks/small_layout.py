"""Measure what the small tables' layout is chosen by: files and bytes, with partitions and without.

Each table is filled, without Spark, with the commits of its retention at a busy installation's
pace, then compacted as upkeep does, flat and partitioned by what is mostly asked for. A question is
answered by the files that their statistics cannot rule out. Prints one line a table.
"""

import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake

from pipeline.core.records import (
    ALERTS,
    AUDIT_LOG,
    BOOKS,
    COMMANDS,
    FIGURES,
    HOLDS,
    LEASES,
    STREAM_PROGRESS,
    Table,
)

FEEDS = 8
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
Row = Mapping[str, Any]
_CHANCE = random.Random(5)  # noqa: S311  the same figures at each run
_VERBS = ("retry", "discard", "replay", "erase", "release", "compact")
_PHASES = ("addBatch", "commitOffsets", "getBatch", "latestOffset", "queryPlanning", "walCommit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One table: who writes how often, and what is asked."""

    table: Table
    says: str
    """The pace, in words."""
    commits: int
    each: timedelta
    """From commit to commit."""
    rows: Callable[[int, datetime], list[Row]]
    by: str
    """What a partition would be."""
    where: str
    """The column of the question."""
    newest: bool = False
    """The question is for the last hundredth of the time; else for one value of *by*."""


def _feed(number: int) -> str:
    return f"feed_{number % FEEDS}"


def _hex(length: int) -> str:
    return _CHANCE.randbytes(length // 2).hex()


def _report(number: int) -> str:
    """A progress report as Spark makes them: much text that repeats, few figures that change."""
    figures = ",".join(f'"{name}":{number % 7919 + k}' for k, name in enumerate(_PHASES))
    offsets = f'{{"sourceVersion":1,"reservoirId":"{"r" * 36}","reservoirVersion":{number}}}'
    return (
        f'{{"batchId":{number},"durationMs":{{{figures}}},"sources":[{{"description":'
        f'"DeltaSource[{"/folder" * 8}]","startOffset":{offsets},"endOffset":{offsets}}}]}}'
    )


CASES = (
    Case(
        table=BOOKS, says="8 feeds, a commit a minute each, a week",
        commits=10_080, each=timedelta(minutes=1),
        rows=lambda n, at: [
            {"feed": f"feed_{f}", "table_id": "t" * 36, "source_version": n, "origin": "commit",
             "changes": n % 97, "deletes": 0, "messages": n % 97, "committed_at": at,
             "booked_at": at}
            for f in range(FEEDS)
        ],
        by="feed", where="source_version", newest=True,
    ),
    Case(
        table=COMMANDS, says="20 wishes a day with their results, 400 days",
        commits=8_000, each=timedelta(hours=1.2),
        rows=lambda n, at: [
            {"command_id": _hex(32), "entry": e, "verb": _VERBS[n % 6], "feed": _feed(n),
             "message_id": _hex(26), "detail": "its next attempt is now", "recorded_at": at}
            for e in ("wish", "result")
        ],
        by="verb", where="recorded_at", newest=True,
    ),
    Case(
        table=LEASES, says="9 leases claimed and released 5 times a day, ten years",
        commits=18_250 * 9 // 10, each=timedelta(hours=5.33),
        rows=lambda n, at: [
            {"name": f"deliver/{_feed(n)}", "entry": e, "epoch": n // FEEDS, "holder": _hex(24),
             "recorded_at": at}
            for e in ("claim", "release")
        ],
        by="name", where="recorded_at", newest=True,
    ),
    Case(
        table=HOLDS, says="10 holds a day with 6 rows each, a year",
        commits=3_650, each=timedelta(hours=2.4),
        rows=lambda n, at: [
            {"hold_id": f"{n}", "job": "deliver", "feed": _feed(n), "entry": "goes_on",
             "number": n, "reason": "circuit_open", "detail": "503: " + "x" * 80,
             "began_at": at, "recorded_at": at}
            for _ in range(6)
        ],
        by="feed", where="feed",
    ),
    Case(
        table=STREAM_PROGRESS, says="9 queries, a report each 30 s, 30 days",
        commits=86_400 // 10, each=timedelta(minutes=5),
        rows=lambda n, at: [
            {"query": f"deliver/feed_{f}", "run_id": "r" * 36, "batch_id": n * 10 + k,
             "input_rows": k, "duration_ms": 900 + k, "progress": _report(n * 10 + k),
             "recorded_at": at}
            for f in range(9) for k in range(10)
        ],
        by="query", where="recorded_at", newest=True,
    ),
    Case(
        table=ALERTS, says="20 rows a day, 400 days",
        commits=8_000, each=timedelta(hours=1.2),
        rows=lambda n, at: [
            {"alert": "queue.old", "severity": "warning", "feed": _feed(n), "metric": "age",
             "value": 1.0, "expected": "at most 15 min", "detail": "waits for 16 min",
             "recorded_at": at, "state": "firing", "runbook": "docs/runbook.md#queueold"}
        ],
        by="feed", where="feed",
    ),
    Case(
        table=FIGURES,
        says="8 feeds, 12 figures a minute, 70 days; a tenth of it measured",
        commits=10_080,
        each=timedelta(minutes=1),
        rows=lambda n, at: [
            {"feed": f"feed_{f}", "metric": f"metric_{m}", "value": float((n * m) % 997),
             "recorded_at": at}
            for f in range(FEEDS) for m in range(12)
        ],
        by="feed",
        where="recorded_at",
        newest=True,
    ),
    Case(
        table=AUDIT_LOG, says="3 writers, 20 entries a day, ten years",
        commits=73_000 // 4, each=timedelta(hours=1.2),
        rows=lambda n, at: [
            {"writer": f"writer_{n % 3}", "sequence": n * 4 + k, "action": "job.started",
             "who": "jobs", "origin": "host", "detail": '{"key": "' + _hex(16) + '"}',
             "recorded_at": at, "previous_hash": _hex(64), "hash": _hex(64)}
            for k in range(4)
        ],
        by="writer", where="writer",
    ),
)  # fmt: skip


def main() -> int:
    """All tables; the exit status."""
    folder = Path(tempfile.mkdtemp())
    try:
        for line in lines(folder):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    finally:
        shutil.rmtree(folder)
    return 0


def lines(folder: Path) -> Iterator[str]:
    """One line a table."""
    for case in CASES:
        if sys.argv[1:] and case.table.name not in sys.argv[1:]:
            continue
        flat, parted = (_filled(folder, case, by) for by in ([], [case.by]))
        loose = _one_commit(folder, case)
        yield (
            f"{case.table.name} ({case.says}): flat {len(flat):,} file of "
            f"{_kb(flat):,.0f} KB, a question opens {_asked(flat, case):,.0f} KB; by {case.by} "
            f"{len(parted)} files of {_kb(parted):,.0f} KB, a question opens "
            f"{_asked(parted, case):,.0f} KB; a commit writes {loose[0]} files, by {case.by} "
            f"{loose[1]}"
        )


def _rows(case: Case, numbers: range) -> pa.Table:
    found = [
        row for n in numbers for row in case.rows(n, BEGAN + n * case.each)
    ]  # fmt: skip
    return pa.Table.from_pylist(found, schema=case.table.arrow)


def _filled(folder: Path, case: Case, by: list[str]) -> Any:
    """The files of the table after upkeep: appended in parts, then compacted."""
    path = str(folder / f"{case.table.name}_{'_'.join(by) or 'flat'}")
    parts = 20
    size = -(-case.commits // parts)
    for part in range(parts):
        rows = _rows(case, range(part * size, min(case.commits, (part + 1) * size)))
        write_deltalake(path, rows, mode="append", partition_by=by or None)
    DeltaTable(path).optimize.compact()
    return pa.table(DeltaTable(path).get_add_actions(flatten=True))


def _one_commit(folder: Path, case: Case) -> tuple[int, int]:
    found = []
    for name, by in (("a", None), ("b", [case.by])):
        path = str(folder / f"one_{case.table.name}_{name}")
        write_deltalake(path, _rows(case, range(1)), partition_by=by)
        found.append(len(DeltaTable(path).file_uris()))
    return found[0], found[1]


def _kb(files: Any) -> float:
    return float(pc.sum(files["size_bytes"]).as_py()) / 1e3


def _asked(files: Any, case: Case) -> float:
    """KB of the files that a question cannot rule out."""
    if case.newest:
        bound = files[f"max.{case.where}"]
        last = pc.max(bound).as_py()
        span = last - pc.min(files[f"min.{case.where}"]).as_py()
        files = files.filter(pc.greater_equal(bound, pa.scalar(last - span // 100, bound.type)))
    elif f"partition.{case.by}" in files.column_names:
        of = files[f"partition.{case.by}"]
        files = files.filter(pc.equal(of, of[0]))
    return _kb(files) if len(files) else 0.0


if __name__ == "__main__":
    sys.exit(main())
