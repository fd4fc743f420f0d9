"""Where a warm slice of a million events spends its time: runs in turns, each with a step more.

Run: python benchmarks/steps.py [--events 1000000] [--rounds 6]. Prints the medians of wall time and
of processor time (Java, Python, the receiver) from the third round on. A step costs what its run
takes more than the one before it; compare processor time, since others may share the machine.
"""

import argparse
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import alternatives as others
import psutil
import pyarrow as pa
from measure import TASKED, TASKS, WARM, session
from ours import SECRETS, Source, settings
from pyspark.sql import DataFrame
from receivers import receiver

from pipeline.core.records import OUTCOMES
from pipeline.core.seal import SealPolicy, seal
from pipeline.delivery.plan import Barrier, Plan
from pipeline.source.count import count_changes
from pipeline.source.draft import drafts
from pipeline.source.net import net
from pipeline.source.parts import template_of
from pipeline.streams.runtime import Runtime, now
from pipeline.streams.slice import run
from pipeline.tables import outcomes
from pipeline.tables.layout import create_tables

COUNT = "n bigint"


def main() -> None:
    """Make a commit, and run the steps over it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=6)
    arguments = parser.parse_args()
    folder = Path("build/bench-steps").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    spark = session(f"local[{TASKS}]")
    source = Source(spark, str(folder / "orders"))
    source.create()
    source.commit(arguments.events)
    with receiver() as url:
        runtime = Runtime(settings=settings(folder, url, TASKED), secrets=SECRETS)
        create_tables(spark, runtime.where)
        found = _in_turns(_steps(source, runtime), arguments.rounds)
    spark.stop()
    print(f"{'up to':<28} {'wall s':>8} {'cpu s':>8}")
    for name, (wall, cpu) in found.items():
        print(f"{name:<28} {wall:>8.2f} {cpu:>8.2f}")


def _steps(source: Source, runtime: Runtime) -> dict[str, Callable[[], object]]:
    spark, checked = source.spark, source.checked()
    policy = SealPolicy(
        feed=checked.feed.name,
        envelope=checked.feed.envelope(),
        hashing_key=SECRETS.hashing_key,
        call_bytes=runtime.settings.limits.call_bytes,
        template=template_of(checked),
    )
    read, number = partial(seal, policy=policy), iter(range(1, 1_000_000))

    def changes() -> DataFrame:
        return others.commit(spark, source.path, source.version)

    def mapped() -> DataFrame:
        netted = net(changes(), checked.feed, partitions=TASKS, unique_inserts=True)
        return drafts(netted, checked, partitions=TASKS, one_version=True, in_parts=True)

    def plan() -> Plan:
        barrier, rate = Barrier(read_at=now()), runtime.top_rate("deliver")
        return runtime.plan("deliver", next(number), barrier, rate, waive_ratio=False)

    def sent() -> DataFrame:
        one = plan()
        return mapped().mapInArrow(lambda batches: run(batches, one, read), OUTCOMES.ddl)

    def hand_over(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield _counted(sum(batch.num_rows for batch in batches))

    def sealed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield _counted(len(read(pa.Table.from_batches(list(batches)))))

    return {
        "Spark alone": lambda: others.spark_alone(spark, source.path, source.version, 1),
        "counted": lambda: count_changes(changes(), checked.feed, partitions=TASKS),
        "mapped, in order": lambda: _evaluate(mapped()),
        "handed over to Python": lambda: _evaluate(mapped().mapInArrow(hand_over, COUNT)),
        "sealed": lambda: _evaluate(mapped().mapInArrow(sealed, COUNT)),
        "sent": lambda: _evaluate(sent()),
        "recorded": lambda: outcomes.append(runtime.where, sent(), "steps", next(number)),
    }


def _counted(count: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"n": [count]})


def _evaluate(rows: DataFrame) -> None:
    rows.write.format("noop").mode("overwrite").save()


def _in_turns(
    steps: dict[str, Callable[[], object]], rounds: int
) -> dict[str, tuple[float, float]]:
    """Wall and processor seconds of each step, medians of the warm rounds."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, act in steps.items():
            before, began = _processor(), time.perf_counter()
            act()
            found[name].append((time.perf_counter() - began, _processor() - before))
    warm = {name: pairs[WARM:] or pairs for name, pairs in found.items()}
    return {
        name: (statistics.median(w for w, _ in pairs), statistics.median(c for _, c in pairs))
        for name, pairs in warm.items()
    }


def _processor() -> float:
    """Processor seconds of this process and all that it started, the receiver among them."""
    me, seconds = psutil.Process(), 0.0
    for process in (me, *me.children(recursive=True)):
        try:
            used = process.cpu_times()
        except psutil.Error:
            continue
        seconds += used.user + used.system
    return seconds


if __name__ == "__main__":
    main()
