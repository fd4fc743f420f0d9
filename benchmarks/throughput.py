"""Events a second from a change feed to accepted, beside Spark alone and the official client.

Run: make bench (or python benchmarks/throughput.py --events 1000000 --rounds 6). All three send or
compute the same events in the same run on the same machine, the first two in one warm JVM, in
turns. Figures are medians of the rounds from the third on; ratios are what to look at.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline import log
from pipeline.core.cipher import keyring
from pipeline.core.feed import parse_feed
from pipeline.keys import Secrets
from pipeline.settings import Settings
from pipeline.source.check import check_feed
from pipeline.source.locate import SourceTable
from pipeline.streams.begin import begin
from pipeline.streams.claim import claim
from pipeline.streams.runtime import Runtime
from pipeline.tables.layout import create_tables, layout
from pipeline.tables.session import local_session

HERE = Path(__file__).parent
PORT = 8797
WARM = 2
"""Rounds that are not counted: Java is not warm before the third."""

FEED = """
name: orders
source: {source}
start: latest
row_key: [order_id]
entity: {{person: customer_id}}
order_by: [ordered_at]
event_time: ordered_at
insert:
  type: track
  event: Order Completed
  properties:
    order_id: order_id
    total: total
    currency: currency
    items: items
    store: store
    note: note
"""


@contextmanager
def receiver() -> Iterator[str]:
    """The receiver in a process of its own; its URL."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "receiver.py"), str(PORT)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None  # noqa: S101  it was asked for
    process.stdout.readline()
    try:
        yield f"http://127.0.0.1:{PORT}"
    finally:
        process.terminate()
        process.wait()


def received(url: str) -> int:
    """Calls that the receiver got so far."""
    with urllib.request.urlopen(f"{url}/count") as answer:
        return int(answer.read())


def events(spark: SparkSession, first: int, count: int) -> DataFrame:
    """Rows that become track events of about 350 bytes, as `official_client.events` has them."""
    number = F.col("id")
    return spark.range(first, first + count, numPartitions=4).select(
        F.concat(F.lit("order-"), number).alias("order_id"),
        F.concat(F.lit("customer-"), number % 50_000).alias("customer_id"),
        F.round((number % 1000) * F.lit(0.37), 2).alias("total"),
        F.lit("EUR").alias("currency"),
        (number % 7).alias("items"),
        F.concat(F.lit("store-"), number % 300).alias("store"),
        F.lit("a text of some length, as events have it in real life").alias("note"),
        F.timestamp_seconds(F.lit(1_790_000_000) + number).alias("ordered_at"),
    )


def spark_alone(spark: SparkSession, source: str, version: int, count: int) -> float:
    """Read the change feed, build the JSON, throw it away: the floor that Spark sets."""
    began = time.perf_counter()
    changes = (
        spark.read.format("delta")
        .option("readChangeFeed", "true")
        .option("startingVersion", version)
        .option("endingVersion", version)
        .load(source)
    )
    properties = F.struct("order_id", "total", "currency", "items", "store", "note")
    call = F.to_json(
        F.struct(
            F.lit("track").alias("type"),
            F.col("customer_id").alias("userId"),
            F.lit("Order Completed").alias("event"),
            F.col("ordered_at").alias("timestamp"),
            properties.alias("properties"),
        )
    )
    changes.select(call.alias("call")).write.format("noop").mode("overwrite").save()
    return count / (time.perf_counter() - began)


def settings_for(folder: Path, url: str, tasks: int) -> Settings:
    """As in production, with all checks on; only the places are the benchmark's own."""
    return Settings(
        target="bench",
        destination={"base_url": url},
        delivery={"tasks": tasks, "slice_rows": 1_000_000},
        triggers={"deliver": "PT0S"},
        sources={"root": str(folder)},
        tables={"root": str(folder / "tables"), "checkpoints": str(folder / "checkpoints")},
    )


def pipeline_and_spark(
    folder: Path, url: str, count: int, rounds: int
) -> tuple[list[float], list[float]]:
    """Events a second of each round: ours, and Spark alone on the same commit."""
    spark = local_session("bench", memory="4g", java="-XX:+UseParallelGC")
    source = str(folder / "orders")
    events(spark, 0, 0).write.format("delta").option("delta.enableChangeDataFeed", "true").save(
        source
    )
    settings = settings_for(folder, url, tasks=os.cpu_count() or 2)
    secrets = Secrets(
        api_key="benchmark", payload_keys=keyring(bytes(range(32))), hashing_key=bytes(32)
    )
    runtime = Runtime(settings=settings, secrets=secrets)
    create_tables(spark, layout(settings))
    checked = check_feed(
        spark,
        parse_feed(FEED.format(source=source), file="bench.yml"),
        SourceTable(path=source),
    )
    handler, stream = begin(spark, runtime, claim(spark, runtime, "deliver/orders"), checked)
    seconds: list[float] = []
    done = threading.Semaphore(0)

    def timed(rows: DataFrame, batch: int) -> None:
        began = time.perf_counter()
        handler(rows, batch)
        seconds.append(time.perf_counter() - began)
        done.release()

    query = (
        stream.writeStream.foreachBatch(timed)
        .option("checkpointLocation", str(folder / "checkpoints" / "orders"))
        .trigger(processingTime="0 seconds")
        .start()
    )
    ours, alone = [], []
    try:
        for number in range(rounds):
            before = received(url)
            seconds.clear()
            events(spark, number * count, count).write.format("delta").mode("append").save(source)
            finished = False
            while not finished:  # the micro-batch is over, and all of it arrived
                if query.exception() is not None:
                    raise RuntimeError(str(query.exception()))
                finished = done.acquire(timeout=1) and received(url) - before >= count
            ours.append(count / sum(seconds))
            alone.append(spark_alone(spark, source, number + 1, count))
            print(
                f"round {number + 1}: ours {ours[-1]:,.0f}, Spark alone {alone[-1]:,.0f} events/s"
            )
    finally:
        query.stop()
        spark.stop()
    return ours, alone


def official(url: str, count: int, rounds: int) -> list[float]:
    """The official client in a process of its own."""
    command = [sys.executable, str(HERE / "official_client.py"), url, str(count), str(rounds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: list[float] = json.loads(done.stdout)
    return figures


def main() -> int:
    """Run, print, and write build/bench.json; 1 when the required ratio is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--required", type=float, default=6.0, help="times the official client")
    arguments = parser.parse_args()
    log.set_up()
    folder = Path("build/bench").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with receiver() as url:
        ours, alone = pipeline_and_spark(folder, url, arguments.events, arguments.rounds)
        client = official(url, max(arguments.events // 5, 1000), 3)
    warm, warm_alone = statistics.median(ours[WARM:]), statistics.median(alone[WARM:])
    plain = statistics.median(client)
    rows = [
        ("pipeline, warm", warm, "events/s"),
        ("pipeline, first round", ours[0], "events/s"),
        ("Spark alone, warm", warm_alone, "events/s"),
        ("official client", plain, "events/s"),
        ("pipeline / official client", warm / plain, "times"),
        ("pipeline / Spark alone", warm / warm_alone, "times"),
    ]
    for name, figure, unit in rows:
        print(f"{name:<30} {figure:>12,.{0 if unit == 'events/s' else 2}f} {unit}")
    report = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "python": platform.python_version(),
        "command": " ".join(["python", *sys.argv]),
        "events": arguments.events,
        "rounds": {"pipeline": ours, "spark_alone": alone, "official_client": client},
        "figures": [{"name": n, "value": v, "unit": u} for n, v, u in rows],
    }
    Path("build/bench.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    met = warm / plain >= arguments.required
    print(
        f"at least {arguments.required:g} times the official client: {'met' if met else 'NOT MET'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
