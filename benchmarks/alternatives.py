"""What else one could do, on the same change feed: each a function of a commit to events/s."""

import asyncio
import base64
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import pyarrow as pa
import requests
from events import as_json, values
from pyspark.sql import DataFrame, SparkSession

from pipeline.core.wire import BATCH_PREFIX

BATCH_BYTES = 499_000
LANES = 8
HEADERS = {
    "Authorization": "Basic " + base64.b64encode(b"benchmark:").decode(),
    "Content-Type": "application/json",
    "X-Strict-Mode": "1",
}


def commit(spark: SparkSession, source: str, version: int) -> DataFrame:
    """One commit of the source's change feed."""
    return (
        spark.read.format("delta")
        .option("readChangeFeed", "true")
        .option("startingVersion", version)
        .option("endingVersion", version)
        .load(source)
    )


def timed(count: int, act: Callable[[], None]) -> float:
    """Events a second."""
    began = time.perf_counter()
    act()
    return count / (time.perf_counter() - began)


def spark_alone(spark: SparkSession, source: str, version: int, count: int) -> float:
    """Read the change feed, build the JSON, throw it away: the floor that Spark sets."""
    calls = as_json(commit(spark, source, version), with_id=False)
    return timed(count, lambda: calls.write.format("noop").mode("overwrite").save())


def plain_map_in_arrow(
    spark: SparkSession, source: str, version: int, count: int, url: str
) -> float:
    """What a good engineer writes in a day: the same batches, and no promise about anything."""

    def send(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        bodies = packed(text for batch in batches for text in batch.column(0).to_pylist())
        sent = asyncio.run(post_all(url, bodies))
        yield pa.RecordBatch.from_pydict({"sent": [sent]})

    calls = as_json(commit(spark, source, version), with_id=True)
    return timed(count, lambda: _all(calls.mapInArrow(send, "sent bigint")))


def _all(frame: DataFrame) -> None:
    frame.write.format("noop").mode("overwrite").save()


def packed(calls: Iterator[str]) -> Iterator[bytes]:
    """Bodies of batch requests, each as full as it may be."""
    waiting: list[bytes] = []
    size = 0
    for call in calls:
        text = call.encode()
        if size + len(text) + 1 > BATCH_BYTES:
            yield BATCH_PREFIX + b",".join(waiting) + b"]}"
            waiting, size = [], 0
        waiting.append(text)
        size += len(text) + 1
    if waiting:
        yield BATCH_PREFIX + b",".join(waiting) + b"]}"


async def post_all(url: str, bodies: Iterator[bytes]) -> int:
    """Post bodies over a few connections at once; how many."""
    sent = 0
    async with aiohttp.ClientSession(headers=HEADERS) as session:

        async def lane() -> None:
            nonlocal sent
            for body in bodies:
                async with session.post(f"{url}/v1/batch", data=body) as answer:
                    answer.raise_for_status()
                    await answer.read()
                sent += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(LANES):
                group.create_task(lane())
    return sent


def tutorial_rows(spark: SparkSession, source: str, version: int, count: int, url: str) -> float:
    """What tutorials do: collect the micro-batch, one POST a row."""
    calls = as_json(commit(spark, source, version).limit(count), with_id=True)

    def act() -> None:
        for row in calls.collect():
            requests.post(f"{url}/v1/track", data=row["call"], headers=HEADERS, timeout=30)

    return timed(count, act)


def tutorial_batches(spark: SparkSession, source: str, version: int, count: int, url: str) -> float:
    """The same with the batch endpoint and one kept connection."""
    calls = as_json(commit(spark, source, version).limit(count), with_id=True)

    def act() -> None:
        with requests.Session() as session:
            session.headers.update(HEADERS)
            for body in packed(row["call"] for row in calls.collect()):
                session.post(f"{url}/v1/batch", data=body, timeout=30)

    return timed(count, act)


def wire_alone(url: str, count: int) -> float:
    """The physical limit: bodies built before, posted from as many threads as lanes."""
    calls = (
        json.dumps({"type": "track", "messageId": f"{n:026}", "userId": user, "properties": p})
        for n, (user, p) in enumerate(values(0, count))
    )
    bodies = list(packed(calls))

    def post(some: list[bytes]) -> None:
        with requests.Session() as session:
            session.headers.update(HEADERS)
            for body in some:
                session.post(f"{url}/v1/batch", data=body, timeout=30)

    def act() -> None:
        with ThreadPoolExecutor(LANES) as pool:
            list(pool.map(post, [bodies[lane::LANES] for lane in range(LANES)]))

    return timed(count, act)


def official(url: str, count: int, rounds: int, processes: int = 1) -> list[float]:
    """Customer.io's own client; with several *processes*, their sum a round."""
    script = str(Path(__file__).parent / "official_client.py")
    command = [sys.executable, script, url, str(count), str(rounds)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    figures = [json.loads(one.communicate()[0]) for one in started]
    return [sum(round_) for round_ in zip(*figures, strict=True)]
