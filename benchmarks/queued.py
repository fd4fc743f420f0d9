"""Sections about the retry queue: how fast drain empties it, and what a tick costs beside it."""

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import alternatives as others
from measure import TASKED, TASKS, WARM, Bench, Target, target
from ours import SECRETS, Source, settings
from pyspark.sql import functions as F
from receivers import receiver

from pipeline.core.records import OUTCOMES
from pipeline.core.seal import SealPolicy, seal
from pipeline.delivery.plan import Barrier
from pipeline.source.checked import CheckedFeed
from pipeline.source.net import net
from pipeline.source.parts import template_of
from pipeline.streams.claim import Claim, claim_all
from pipeline.streams.cut import cut
from pipeline.streams.drain import Drain
from pipeline.streams.runtime import Runtime, now
from pipeline.streams.slice import Slice, send
from pipeline.tables import outcomes, retry_queue
from pipeline.tables.layout import create_tables, layout
from pipeline.tables.take_in import take_in

PARKED = "2999-01-01"
SAME: Final[Mapping[str, Any]] = {"rate": {"deliver_share": 0.5}}
"""Neither job has more of the API's rate than the other."""
ROWS: Final = 200_000
"""Of a slice of either, where both are compared."""
DUE = 100
"""Messages that come due for each tick."""


@dataclass(slots=True)
class Queue:
    """Both jobs' leases, and what puts messages into the queue as `deliver` does."""

    source: Source
    runtime: Runtime
    checked: CheckedFeed
    deliver: Claim
    drain: Drain
    ticks: int = 0

    def put(self, count: int) -> None:
        """Queue a new commit's messages unsent: sealed, as when a source's retention runs out."""
        source, spark = self.source, self.source.spark
        source.commit(count)
        changes = others.commit(spark, source.path, source.version)
        netted = net(changes, self.checked.feed, partitions=TASKS, unique_inserts=True)
        policy = SealPolicy(
            feed=self.checked.feed.name,
            envelope=self.checked.feed.envelope(),
            hashing_key=SECRETS.hashing_key,
            call_bytes=self.runtime.settings.limits.call_bytes,
            template=template_of(self.checked),
        )
        with cut(
            netted, self.checked, slices=1, tasks=TASKS, one_version=True, keep=False
        ) as rows_of:
            one = Slice(
                job="deliver",
                feed=self.checked.feed.name,
                rows=rows_of(0),
                read=partial(seal, policy=policy),
                rate=self.runtime.top_rate("deliver"),
                overflow=True,
            )
            where = self.runtime.where
            result_of = partial(outcomes.result_after, where, outcomes.version(spark, where))
            send(spark, self.runtime, self.deliver, one, Barrier(read_at=now()), result_of)

    def park(self, count: int) -> None:
        """Queue messages that are not due for centuries; each is an entity of its own."""
        rows = self.source.spark.range(count, numPartitions=TASKS).select(
            F.lit("queued").alias("kind"),
            F.concat(F.lit("parked-"), F.col("id")).alias("message_id"),
            F.lit(self.checked.feed.name).alias("feed"),
            F.lit(0).cast("bigint").alias("source_version"),
            F.unhex(F.md5(F.col("id").cast("string"))).alias("entity_hash"),
            F.lit(1).alias("number"),
            F.lit(1).alias("attempts"),
            F.col("id").alias("position"),
            F.to_timestamp(F.lit(PARKED)).alias("next_attempt_at"),
            F.expr("cast(repeat(sha2(cast(id as string), 256), 5) as binary)").alias("payload"),
            F.current_timestamp().alias("recorded_at"),
        )
        self.runtime.where.place(OUTCOMES).append(rows)

    def fill(self) -> float:
        """Seconds that drain needs to take in what was put, as it does while an outage lasts."""
        spark, where = self.source.spark, self.runtime.where
        began = time.perf_counter()
        take_in(spark, where, retry_queue.positions(spark, where), 0)
        return time.perf_counter() - began

    def tick(self) -> int:
        """One tick of drain; how many messages were sent."""
        self.ticks += 1
        return self.drain.tick(self.source.spark, self.ticks).sent

    def empty(self) -> float:
        """Seconds until nothing is due any more, the last taking in included."""
        began = time.perf_counter()
        while self.tick():
            pass
        return time.perf_counter() - began


@contextmanager
def queue(bench: Bench, name: str, **triggers: Any) -> Iterator[Queue]:
    """A queue with tables of its own, and a receiver."""
    with receiver() as url:
        source = Source(bench.spark, str(bench.folder / f"{name}-source"))
        source.create()
        given = settings(bench.folder / name, url, TASKED, **SAME, **triggers)
        runtime = Runtime(settings=given, secrets=SECRETS)
        create_tables(bench.spark, layout(given))
        deliver, drain = claim_all(bench.spark, runtime, ["deliver/orders", "drain"])
        yield Queue(source, runtime, source.checked(), deliver, Drain(runtime, drain))


def drained(bench: Bench) -> list[Target]:
    """Messages a second that drain sends from a full queue, against deliver's of as many.

    Both in slices of as many rows, and at the same rate: by default drain has a fifth of it, 190
    requests a second. What fills the queue is taken in while an outage lasts, with a figure of its
    own; so has drain in slices as they are by default.
    """
    count = bench.events
    with bench.ours("beside-drain", slice_rows=ROWS, **SAME) as run:
        direct = [run.round(count) for _ in range(bench.rounds)]
    taken_in, alike = _emptied(bench, "drain-alike", drain_rows=ROWS)
    _, waited = _emptied(bench, "drain")
    bench.note("drain takes in", taken_in)
    bench.note("drain", waited)
    drained = bench.note(f"drain, slices of {ROWS:,}", alike)
    ratio = drained / bench.note(f"deliver, slices of {ROWS:,}", direct)
    return [target("drain_throughput", ratio, 0.8, "times")]


def _emptied(bench: Bench, name: str, **triggers: Any) -> tuple[list[float], list[float]]:
    """Messages a second that drain takes in, and that it sends until nothing waits any more."""
    taken_in, sent = [], []
    with queue(bench, name, **triggers) as full:
        for _ in range(bench.rounds):
            full.put(bench.events)
            taken_in.append(bench.events / full.fill())
            sent.append(bench.events / full.empty())
    return taken_in, sent


def parked(bench: Bench) -> list[Target]:
    """A tick with many parked messages and 100 due, against one with few parked and 100 due."""
    seconds = {}
    for name, count in (("few", bench.events // 100), ("many", bench.events)):
        with queue(bench, f"parked-{name}") as one:
            one.park(count)
            one.tick()
            taken = []
            for _ in range(bench.rounds + WARM):
                one.put(DUE)
                began = time.perf_counter()
                sent = one.tick()
                taken.append(time.perf_counter() - began)
                if sent != DUE:
                    raise RuntimeError(f"{sent} of {DUE} due messages were sent")
            seconds[name] = statistics.median(taken[WARM:])
            print(f"a tick beside {count:,} parked messages: {seconds[name]:.2f} s", flush=True)
    return [target("parked", seconds["many"] / seconds["few"], 1.5, "times", most=True)]
