"""The pipeline against its alternatives and its targets, in one run on one machine.

Run: make bench, or python benchmarks/bench.py --events 1000000 --rounds 6 --only throughput.
Prints a table of targets, writes build/bench.json (--add: adds to what is there), exits 1 while a
required target is not met. Contestants take turns in one warm JVM, after six rounds without a
figure; figures are medians of the rounds from the third on, and ratios are what to look at:
machines are noisy.
"""

import argparse
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import measure
import queued
import steady
from measure import Bench, Target

from pipeline import log

SECTIONS: dict[str, Callable[[Bench], list[Target]]] = {
    "throughput": measure.throughput,
    "alternatives": measure.alternatives,
    "sites": measure.sites,
    "latency": measure.latency,
    "gzip": measure.gzip_on,
    "growth": measure.growth,
    "drained": queued.drained,
    "parked": queued.parked,
    "fresh": steady.fresh,
    "restart": steady.restart,
    "books": steady.books,
}

RESULTS, DETAILS = Path("build/bench.json"), Path("build/bench-details.json")
Facts = dict[str, Any]


def main() -> int:
    """Run the sections asked for; 1 when a required target is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=1.0, help="of steady load")
    parser.add_argument("--master", default=f"local[{measure.TASKS}]", help="Spark's master")
    parser.add_argument("--only", nargs="*", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument(
        "--add", action="store_true", help="keep what earlier runs have measured of the rest"
    )
    arguments = parser.parse_args()
    log.set_up()
    folder = Path("build/bench").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Tasks import the contestants, too.
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    spark = measure.session(arguments.master)
    bench = Bench.start(spark, folder, arguments.events, arguments.rounds, arguments.minutes)
    earlier = _read() if arguments.add else None
    targets: list[Target] = []
    try:
        measure.warm_up(bench)
        for name in arguments.only:
            print(f"-- {name}", flush=True)
            targets += SECTIONS[name](bench)
            _write(bench, targets, earlier)  # what was measured stays, whatever comes next
    finally:
        spark.stop()
    _print(targets)
    return 0 if all(target.met for target in targets) else 1


def _read() -> tuple[list[Facts], Facts] | None:
    """Rows and details of earlier runs."""
    if not RESULTS.exists():
        return None
    rows: list[Facts] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return rows, json.loads(DETAILS.read_text(encoding="utf-8"))


def _write(bench: Bench, targets: list[Target], earlier: tuple[list[Facts], Facts] | None) -> None:
    rows: list[Facts] = [asdict(target) for target in targets]
    details: Facts = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "cores": os.cpu_count(),
        "facts": bench.facts,
        "python": platform.python_version(),
        "runs": [
            {
                "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "command": " ".join(["python", *sys.argv]),
            }
        ],
        "figures": bench.figures,
    }
    if earlier is not None:
        rows, details = _added(earlier, rows, details)
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    DETAILS.write_text(json.dumps(details, indent=2) + "\n", encoding="utf-8")


def _added(
    earlier: tuple[list[Facts], Facts], rows: list[Facts], details: Facts
) -> tuple[list[Facts], Facts]:
    """What earlier runs measured, and what this one did in its place."""
    known, before = earlier
    by_id = {row["id"]: row for row in (*known, *rows)}
    return list(by_id.values()), {
        **details,
        "facts": {**before["facts"], **details["facts"]},
        "figures": {**before["figures"], **details["figures"]},
        "runs": before["runs"] + details["runs"],
    }


def _print(targets: list[Target]) -> None:
    print(f"{'target':<34} {'measured':>12} {'required':>12}")
    for target in targets:
        word = "met" if target.met else "NOT MET"
        sign = "<=" if target.most else ">="
        print(
            f"{target.id:<34} {target.measured:>12,.2f} {sign} {target.target:>9,.2f} "
            f"{target.unit:<8} {word}"
        )


if __name__ == "__main__":
    sys.exit(main())
