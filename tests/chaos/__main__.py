"""make chaos: all faults at full size; prints a table, writes build/chaos.json, exits 1 on harm.

python -m chaos --kills 50
python -m chaos --only SIGKILL --kills 10 --seed 3 --add    # one part more, of the same table
"""

import argparse
import json
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chaos import outages
from chaos.faults import DELIVER, DRAIN
from chaos.kills import kill_all
from chaos.retries import MASTERS, retry
from chaos.toxics import TOXICS, weather
from chaos.toxiproxy import Unobtainable, running_toxiproxy

OUT = Path("build/chaos.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    fault: str
    runs: int
    messages: int
    lost: int
    repeated: int
    bound: int | None
    out_of_order: int
    holds: bool
    seconds: float
    note: str = ""


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="SIGKILLs; 0 leaves them out")
    parser.add_argument("--messages", type=int, default=3000, help="of each outage and toxic")
    parser.add_argument("--seconds", type=float, default=60, help="that each outage lasts")
    parser.add_argument("--no-spark", action="store_true", help="only what needs no Spark")
    parser.add_argument("--seed", type=int, default=0, help="another one, other kills")
    parser.add_argument("--only", action="append", default=[], help="part of a fault's name")
    parser.add_argument("--add", action="store_true", help="to what build/chaos.json has")
    asked = parser.parse_args()
    rows: list[Row] = []
    for name, run in scenarios(asked):
        if asked.only and not any(_is_of(part, name) for part in asked.only):
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            try:
                row = run(Path(folder))
            except Exception as error:  # noqa: BLE001  what breaks a scenario is harm as well
                traceback.print_exc()
                row = Row(
                    fault=name, runs=1, messages=0, lost=0, repeated=0, bound=None,
                    out_of_order=0, holds=False, seconds=0, note=type(error).__name__,
                )  # fmt: skip
        row = Row(**{**asdict(row), "seconds": round(time.monotonic() - began, 1)})
        rows.append(row)
        print(f"{row.fault}: {'holds' if row.holds else 'VIOLATED'} ({row.seconds} s)", flush=True)  # noqa: T201
    if not rows:
        parser.error(f"no fault's name has {' or '.join(asked.only)} in it: see docs/promises.md")
    parts = [_part(asked, rows)]
    if asked.add and OUT.exists():
        told = json.loads(OUT.read_text())
        rows = together([Row(**row) for row in told["rows"]], rows)
        parts = told["parts"] + parts
    _write(rows, parts)
    _print(rows)
    return 0 if all(row.holds for row in rows) else 1


def _is_of(part: str, name: str) -> bool:
    """Whether a fault is asked for, by its name or as the table has it."""
    return part.lower().replace(" ", "_") in name.lower().replace(" ", "_")


def scenarios(asked: argparse.Namespace) -> Iterator[tuple[str, Callable[[Path], Row]]]:
    """Name and run of each, the quick ones first."""
    for illness in (
        outages.one_in_ten, outages.wrong_key, outages.slow_for_ever, outages.storm_of_429,
        outages.lost_answers, outages.one_bad_call, outages.every_third,
    ):  # fmt: skip
        yield illness.__name__, lambda folder, i=illness: _outage(folder, i, asked)
    try:
        with running_toxiproxy() as proxy:
            for toxic in TOXICS:
                yield toxic, lambda folder, t=toxic: _toxic(folder, proxy, t, asked)
    except Unobtainable as reason:
        print(f"no Toxiproxy: {reason}")  # noqa: T201
    if asked.no_spark:
        return
    for fault in MASTERS:
        yield fault, lambda folder, f=fault: _retry(folder, f)
    if asked.kills:
        yield "SIGKILL", lambda folder: _kills(folder, asked.kills, asked.seed)


def _outage(
    folder: Path, illness: Callable[..., outages.Endured], asked: argparse.Namespace
) -> Row:
    big = max(asked.messages, 10_000) if illness is outages.one_bad_call else asked.messages
    found = illness(folder, big, asked.seconds)
    holding = illness is outages.every_third
    good = found.holds == {"refused_share"} if holding else found.kept
    dead = {outages.one_bad_call: 1}.get(illness, 0)
    return Row(
        fault=f"destination: {illness.__name__.replace('_', ' ')}",
        runs=1,
        messages=found.messages,
        lost=0 if holding else found.unended + found.differing,
        repeated=found.arrived.repeated,
        bound=None,
        out_of_order=found.arrived.out_of_order,
        holds=good and (holding or len(found.dead) == dead),
        seconds=0,
        note=f"{len(found.dead)} dead, {found.requests} requests, holds: "
        f"{', '.join(sorted(found.holds)) or 'none'}",
    )


def _toxic(folder: Path, proxy: object, toxic: str, asked: argparse.Namespace) -> Row:
    found = weather(proxy, toxic, folder, messages=asked.messages, seconds=min(asked.seconds, 20.0))  # type: ignore[arg-type]
    return Row(
        fault=f"network: {toxic}",
        runs=1,
        messages=found.messages,
        lost=found.lost,
        repeated=found.arrived.repeated,
        bound=found.bound,
        out_of_order=found.arrived.out_of_order,
        holds=found.holds,
        seconds=0,
        note=f"{found.rounds} rounds",
    )


def _retry(folder: Path, fault: str) -> Row:
    found = retry(folder, fault)
    return Row(
        fault=f"Spark: {fault.replace('_', ' ')} ({MASTERS[fault]})",
        runs=1,
        messages=found.verdict.messages,
        lost=found.verdict.lost,
        repeated=found.verdict.repeated,
        bound=found.largest_task,
        out_of_order=found.verdict.out_of_order,
        holds=found.holds,
        seconds=0,
    )


def _kills(folder: Path, kills: int, seed: int) -> Row:
    choose = random.Random(seed)
    points = [("deliver", p) for p in DELIVER] + [("drain", p) for p in DRAIN]
    chosen = [points[i % len(points)] for i in range(kills)]
    choose.shuffle(chosen)
    found = kill_all(
        folder,
        [p for job, p in chosen if job == "deliver"],
        [p for job, p in chosen if job == "drain"],
        seed=seed,
        maintain=True,
    )
    verdict = found.verdict
    missed = sum("any_moment" in point for point in found.points)
    return Row(
        fault="SIGKILL of deliver and drain, under load",
        runs=len(found.points),
        messages=verdict.messages,
        lost=verdict.lost,
        repeated=verdict.repeated,
        bound=verdict.bound,
        out_of_order=verdict.out_of_order,
        holds=found.holds,
        seconds=0,
        note=f"ended twice: {verdict.twice}, wrong people: {verdict.wrong_people}, books open: "
        f"{verdict.unbooked}, reconciled: {found.reconciled}, compactions: {found.upkeep}, "
        f"maintained: {found.maintained}, "
        f"kills at any moment: {missed}",
    )


def together(before: list[Row], added: list[Row]) -> list[Row]:
    """All rows, one a fault: what was run again is summed up, and holds where each part did."""
    found = {row.fault: row for row in before}
    for row in added:
        if (same := found.get(row.fault)) is None:
            found[row.fault] = row
            continue
        bounds = (same.bound, row.bound)
        found[row.fault] = Row(
            fault=row.fault,
            runs=same.runs + row.runs,
            messages=same.messages + row.messages,
            lost=same.lost + row.lost,
            repeated=same.repeated + row.repeated,
            bound=None if None in bounds else sum(bounds),  # type: ignore[arg-type]
            out_of_order=same.out_of_order + row.out_of_order,
            holds=same.holds and row.holds,
            seconds=round(same.seconds + row.seconds, 1),
            note=f"{same.note}; {row.note}",
        )
    return list(found.values())


def _part(asked: argparse.Namespace, rows: list[Row]) -> dict[str, object]:
    """What was asked for, when, and whether it held."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "size": dict(vars(asked)),
        "faults": [row.fault for row in rows],
        "holds": all(row.holds for row in rows),
    }


def _write(rows: list[Row], parts: list[dict[str, object]]) -> None:
    OUT.parent.mkdir(exist_ok=True)
    told = {"parts": parts, "rows": [asdict(row) for row in rows]}
    OUT.write_text(json.dumps(told, indent=2) + "\n")


def _print(rows: list[Row]) -> None:
    table = Table(title="Faults, and what they cost")
    table.add_column("fault")
    for name in ("runs", "messages", "lost", "repeated", "of at most", "out of order"):
        table.add_column(name, justify="right")
    table.add_column("")
    for row in rows:
        table.add_row(
            row.fault,
            *(f"{n:,}" for n in (row.runs, row.messages, row.lost, row.repeated)),
            "" if row.bound is None else f"{row.bound:,}",
            f"{row.out_of_order:,}",
            "holds" if row.holds else "VIOLATED",
        )
    Console(width=130).print(table)


if __name__ == "__main__":
    sys.exit(main())
