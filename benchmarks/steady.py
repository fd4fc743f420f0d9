"""Sections about a running pipeline: how fresh it is, how fast it starts, what its books cost."""

import json
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import events
from measure import Bench, Target, target
from ours import settings
from pyspark.sql import functions as F

from pipeline.operations.reconcile import reconcile

EVERY = 1.0
"""Seconds between two commits of the steady load."""
PER_COMMIT = 2_000
WARM_UP = 60
"""Commits that are not counted: a stream runs for months, Java is warm after a minute."""
COMMITS_A_DAY = 10
DAYS = 10


def fresh(bench: Bench) -> list[Target]:
    """From the source's commit to accepted, at 2,000 events a second; for `--minutes`.

    Somebody else's job writes the source: what that costs Spark is not the pipeline's.
    """
    commits = max(int(bench.minutes * 60 / EVERY), 20)
    with bench.ours("fresh", deliver="PT1S") as run:
        for number in range(WARM_UP + commits):
            if number == WARM_UP:
                first = bench.source.version
            began = time.monotonic()
            bench.source.commit_beside(PER_COMMIT)
            time.sleep(max(0.0, EVERY - (time.monotonic() - began)))
        run.wait_for((WARM_UP + commits) * PER_COMMIT)
    outcomes = bench.spark.read.format("delta").load(str(bench.folder / "fresh/tables/outcomes"))
    waited = F.col("recorded_at").cast("double") - F.col("committed_at").cast("double")
    rows = outcomes.where((F.col("kind") == "accepted") & (F.col("source_version") > first))
    thirds = F.floor((F.col("source_version") - first - 1) * 3 / commits)
    found = rows.groupBy(thirds.alias("third")).agg(F.percentile(waited, F.lit(0.95)).alias("p95"))
    by_third = [row["p95"] for row in found.orderBy("third").collect()]
    whole = rows.agg(F.percentile(waited, F.lit(0.95)).alias("p95")).collect()[0]["p95"]
    print(f"95th percentile by third: {[round(one, 2) for one in by_third]} s", flush=True)
    return [
        target("freshness_p95", whole, 3.0, "s", most=True),
        target("freshness_growth", by_third[-1] / by_third[0], 1.2, "times", most=True),
    ]


CONF = """
destination: {{base_url: "http://127.0.0.1:9"}}
sources: {{root: {root}, feeds: {root}/feeds}}
tables: {{root: {root}/tables, checkpoints: {root}/checkpoints}}
keys: {{source: file, file: {root}/keys}}
"""


def restart(bench: Bench) -> list[Target]:
    """A process of `deliver` with nothing to do, from its start until its first trigger is done."""
    root = bench.folder / "restart"
    (root / "feeds").mkdir(parents=True)
    conf = root / "restart.yml"
    conf.write_text(CONF.format(root=root))
    feed = events.FEED.format(source=bench.source.path)
    (root / "feeds" / "orders.yml").write_text(feed)
    pipeline = [str(Path(sys.executable).parent / "pipeline")]
    _run([*pipeline, "key", "init", "--conf", str(conf)], root)
    seconds, whole = [], []
    for _ in range(6):
        began = time.time()
        said = _run([*pipeline, "deliver", "--conf", str(conf), "--available-now"], root)
        whole.append(time.time() - began)
        seconds.append(_time_of("query.ended", said) - began)
    print(f"starts: {[round(one, 1) for one in seconds]} s, the first makes the tables", flush=True)
    print(f"until the processes end: {[round(one, 1) for one in whole]} s", flush=True)
    return [target("restart", statistics.median(seconds[1:]), 20.0, "s", most=True)]


def _time_of(event: str, log: str) -> float:
    """Seconds since 1970 at which a log of a line of JSON an event has its first *event*."""
    lines = (json.loads(line) for line in log.splitlines() if line.startswith("{"))
    stamp = next(line["timestamp"] for line in lines if line["event"] == event)
    return datetime.fromisoformat(stamp).timestamp()


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PIPELINE_API_KEY": "benchmark"},
    )
    (folder / "last.log").write_text(done.stdout + done.stderr)
    if done.returncode:
        raise RuntimeError(f"{command}: exit status {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout + done.stderr


def books(bench: Bench) -> list[Target]:
    """Reconcile a day's versions in a table of one day, and in one of ten."""
    count = max(bench.events // 1000, 100)
    seconds = []
    with bench.ours("books") as run:
        given = settings(bench.folder / "books", run.url, {})
        feed = bench.source.checked().feed
        for day in range(DAYS):
            began_at = datetime.now(UTC)
            for _ in range(COMMITS_A_DAY):
                run.round(count)
            if day in (0, DAYS - 1):
                taken = []
                for _ in range(5):
                    began = time.perf_counter()
                    (found,) = reconcile(bench.spark, given, [feed], began_at)
                    taken.append(time.perf_counter() - began)
                    if not found.closes or found.versions != COMMITS_A_DAY:
                        raise RuntimeError(f"the books do not close: {found.missing}")
                seconds.append(statistics.median(taken[2:]))
    print(f"reconcile of a day: {seconds[0]:.2f} s; after {DAYS} days {seconds[1]:.2f} s")
    return [target("reconcile_day", seconds[1] / seconds[0], 1.5, "times", most=True)]
