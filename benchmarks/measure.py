"""The sections of the benchmark: each runs contestants in turns, and says what came of it."""

import json
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import alternatives as others
import psutil
from ours import Source, settings, stream
from pyspark.sql import SparkSession
from receivers import received, receiver

from pipeline.tables.session import local_session

WARM = 2
"""Rounds of a contestant that are not counted."""
COLD = 6
"""Rounds that a process begins with, before any that has a figure: Java compiles meanwhile."""
TASKS = os.cpu_count() or 2
TASKED: dict[str, Any] = {"tasks": TASKS}
"""All else of `delivery` is as it is by default."""
ELSEWHERE = ("gzip", "rate", "deliver")
"""Settings that are not of `delivery`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One line of the table; *met* is said by *measured*, *target* and *most*."""

    id: str
    measured: float
    target: float
    met: bool
    unit: str
    most: bool = False
    """The target is an upper bound."""


def target(id_: str, measured: float, wanted: float, unit: str, *, most: bool = False) -> Target:
    """Judge what was measured."""
    met = measured <= wanted if most else measured >= wanted
    return Target(id=id_, measured=round(measured, 4), target=wanted, met=met, unit=unit, most=most)


def session(master: str) -> SparkSession:
    """The Spark that all figures come from: figures of two are compared, so they are alike."""
    return local_session("bench", master, memory="4g", java="-XX:+UseParallelGC")


@dataclass(slots=True)
class Bench:
    """What the sections share."""

    spark: SparkSession
    folder: Path
    source: Source
    events: int
    rounds: int
    minutes: float = 1.0
    """Of steady load, for the freshness."""
    figures: dict[str, list[float]] = field(default_factory=dict)
    """Events a second of each round, by contestant."""
    facts: dict[str, float] = field(default_factory=dict)
    """What else was measured that the page calculates with."""

    @classmethod
    def start(
        cls, spark: SparkSession, folder: Path, events: int, rounds: int, minutes: float
    ) -> "Bench":
        """An empty source table."""
        source = Source(spark, str(folder / "orders"))
        source.create()
        return cls(spark, folder, source, events, rounds, minutes)

    def note(self, name: str, figures: list[float]) -> float:
        """Keep the figures of a contestant; the median of the warm ones."""
        self.figures[name] = [round(one, 2) for one in figures]
        warm = figures[WARM:] if len(figures) > WARM else figures
        median = statistics.median(warm)
        print(f"{name:<44} {median:>12,.0f} events/s", flush=True)
        return median

    @contextmanager
    def ours(self, name: str, latency_ms: float = 0, **how: Any) -> Iterator[Any]:
        """A stream with tables of its own, and a receiver; *how* is as in the settings."""
        own = {key: how.pop(key) for key in ELSEWHERE if key in how}
        with receiver(latency_ms) as url:
            given = settings(self.folder / name, url, {**TASKED, **how}, **own)
            with stream(self.source, url, given) as run:
                yield run


def warm_up(bench: Bench) -> None:
    """Rounds without a figure: the first sections would be measured beside Java's compiler."""
    with bench.ours("warming") as run:
        for _ in range(COLD):
            run.round(bench.events)


def throughput(bench: Bench) -> list[Target]:
    """Ours, Spark alone and the official client."""
    ours, alone = [], []
    with bench.ours("throughput") as run:
        for _ in range(bench.rounds):
            ours.append(run.round(bench.events))
            source = bench.source
            alone.append(others.spark_alone(bench.spark, source.path, source.version, bench.events))
        fill = _fill(bench.spark, bench.folder / "throughput")
        got = received(run.url)
        bench.facts["bytes_per_event"] = got["bytes"] / got["calls"]
        client = others.official(run.url, max(bench.events // 5, 1000), 3)
    warm = bench.note("the pipeline", ours)
    floor = bench.note("Spark alone", alone)
    plain = bench.note("the official client", client)
    return [
        target("official_client", warm / plain, 8.0, "times"),
        target("official_client_first_release", warm / plain, 6.0, "times"),
        target("spark_alone", warm / floor, 0.2, "times"),
        target("batch_fill", fill, 0.97, "share"),
    ]


def _fill(spark: SparkSession, folder: Path) -> float:
    """Bytes of a request against the limit: the worst of all but each lane's last one.

    A lane's last request is among its task's smallest, one a lane.
    """
    rows = spark.read.format("delta").load(str(folder / "tables" / "outcomes"))
    rows = rows.where("kind = 'request'").selectExpr("bytes", "slice", "request_id").collect()
    by_task: dict[str, list[int]] = {}
    for row in rows:
        by_task.setdefault(row["request_id"].rsplit("-", 1)[0], []).append(row["bytes"])
    lanes = settings(folder, "http://127.0.0.1", TASKED).delivery.lanes
    full = [size for sizes in by_task.values() for size in sorted(sizes)[lanes:]]
    if max(max(sizes) for sizes in by_task.values()) > 500_000:  # noqa: PLR2004  the API's
        return 0.0
    return min(full) / 500_000 if full else 0.0


def alternatives(bench: Bench) -> list[Target]:
    """What else one could do, each on the newest commit."""
    count, source, spark = bench.events, bench.source, bench.spark
    ours, plain, tutorial = [], [], []
    with bench.ours("alternatives") as run:
        for _ in range(bench.rounds):
            ours.append(run.round(count))
            plain.append(
                others.plain_map_in_arrow(spark, source.path, source.version, count, run.url)
            )
            some = min(count, 200_000)
            tutorial.append(
                others.tutorial_batches(spark, source.path, source.version, some, run.url)
            )
        rows = min(count, 2_000)
        one_by_one = others.tutorial_rows(spark, source.path, source.version, rows, run.url)
        wire = [others.wire_alone(run.url, min(count, 200_000)) for _ in range(3)]
        cores = others.official(run.url, max(count // 5, 1000), 3, TASKS)
    warm = bench.note("the pipeline, beside the alternatives", ours)
    day = bench.note("mapInArrow without promises", plain)
    bench.note("tutorial: collect, POST batches", tutorial)
    bench.note("tutorial: collect, POST each row", [one_by_one])
    bench.note("bodies built before, posted", wire)
    many = bench.note(f"the official client, {TASKS} processes", cores)
    return [
        target("plain_map_in_arrow", warm / day, 0.7, "times"),
        target("official_client_all_cores", warm / many, 1.0, "times"),
    ]


def sites(bench: Bench) -> list[Target]:
    """Delivery in the driver against delivery in tasks, in turns."""
    count = max(bench.events // 4, 1000)
    tasks, driver = [], []
    with bench.ours("in-tasks", slice_rows=200_000) as one:
        tasks = [one.round(count) for _ in range(bench.rounds)]
    with bench.ours("in-driver", site="driver", slice_rows=200_000) as other:
        driver = [other.round(count) for _ in range(bench.rounds)]
    ratio = bench.note("in the driver", driver) / bench.note("in tasks", tasks)
    return [target("driver_site", ratio, 0.5, "times")]


def latency(bench: Bench) -> list[Target]:
    """A receiver that answers after 100 ms, and what a second task is worth then."""
    count = bench.events
    figures: dict[str, list[float]] = {}
    for name, wait in (("loopback", 0), ("100 ms answers", 100)):
        with bench.ours(name.replace(" ", "-"), latency_ms=wait) as run:
            figures[name] = [run.round(count) for _ in range(max(bench.rounds - 2, 1))]
    near, far = (bench.note(name, one) for name, one in figures.items())
    one, two = (
        bench.note(f"100 ms answers, {tasks} at once", _at_once(bench, tasks)) for tasks in (1, 2)
    )
    return [
        target("latency_100ms", far / near, 0.8, "times"),
        target("second_task", two / one, 1.6, "times"),
    ]


def _at_once(bench: Bench, tasks: int) -> list[float]:
    """Figures of a Spark with so many threads, at 100 ms; its Java begins cold."""
    script = str(Path(__file__).parent / "at_once.py")
    rounds = bench.rounds + COLD
    command = [sys.executable, script, str(tasks), "100", str(bench.events), str(rounds)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: list[float] = json.loads(said.splitlines()[-1])
    return found[COLD:]


def gzip_on(bench: Bench) -> list[Target]:
    """Bytes on the wire, and throughput, with `gzip` on."""
    count = bench.events
    with bench.ours("plain") as run:
        plain = [run.round(count) for _ in range(max(bench.rounds - 2, 1))]
        per_call = received(run.url)["bytes"] / received(run.url)["calls"]
    with bench.ours("gzip", gzip=True) as run:
        small = [run.round(count) for _ in range(max(bench.rounds - 2, 1))]
        per_small = received(run.url)["bytes"] / received(run.url)["calls"]
    ratio = bench.note("gzip on", small) / bench.note("gzip off", plain)
    return [
        target("gzip_bytes", per_small / per_call, 0.25, "times", most=True),
        target("gzip_throughput", ratio, 0.7, "times"),
    ]


def growth(bench: Bench) -> list[Target]:
    """Ten times the events, in one commit: time, and the workers' memory."""
    count = max(bench.events // 4, 1000)
    with bench.ours("growth", slice_rows=100_000) as run:
        for _ in range(WARM):
            run.round(count)
        with peak_of_workers() as small:
            little = statistics.median(count / run.round(count) for _ in range(3))
        with peak_of_workers() as large:
            much = 10 * count / run.round(10 * count)
    print(f"{count:,} events: {little:.1f} s; {10 * count:,} in one commit: {much:.1f} s")
    return [
        target("ten_times_time", much / little, 10.5, "times", most=True),
        target("ten_times_memory", large[0] / max(small[0], 1), 1.2, "times", most=True),
    ]


@contextmanager
def peak_of_workers() -> Iterator[list[float]]:
    """The highest sum of the Python workers' proportional set sizes meanwhile, in bytes."""
    peak = [0.0]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            peak[0] = max(peak[0], _now(psutil.Process()))

    def _now(me: psutil.Process) -> float:
        sizes = (_pss(child) for child in me.children(recursive=True))
        return float(sum(sizes))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def _pss(process: psutil.Process) -> int:
    try:
        if "pyspark" not in " ".join(process.cmdline()):
            return 0
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0
