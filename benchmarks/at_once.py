"""The pipeline with so many tasks at once, in a process of its own: events/s of each round as JSON.

Run: python benchmarks/at_once.py TASKS LATENCY_MS EVENTS ROUNDS. Spark then has so many threads for
all that it does, and a core for each, as on a cluster: a task's Java and its Python share a core.
Else one task would have two cores, and a second one of the same two would be worth little.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from measure import Bench, session

from pipeline import log


def main(tasks: int, latency_ms: float, events: int, rounds: int) -> None:
    """Print one figure a round, as a line of JSON; the first are of a Java that is not warm."""
    log.set_up()
    if hasattr(os, "sched_setaffinity"):  # Linux; what is started from here has them, too
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:tasks])
    spark = session(f"local[{tasks}]")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench.start(spark, Path(folder), events, rounds, 1)
        with bench.ours("at-once", latency_ms=latency_ms, tasks=tasks) as run:
            found = [run.round(events) for _ in range(rounds)]
        spark.stop()
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
