"""Speed against a floor in the same run: a step by row that slips in is seen, noise is not.

Ratios of the best of several turns; `make bench` measures, this only guards.
"""

import asyncio
import json
import time
from contextlib import asynccontextmanager
from functools import partial

import alternatives
import pyarrow as pa
from ours import SECRETS, Source, settings

from chaos import wire
from pipeline.core.seal import SealPolicy, seal
from pipeline.core.wire import Answer
from pipeline.delivery.deliver import deliver
from pipeline.delivery.plan import Barrier
from pipeline.source.draft import drafts
from pipeline.source.net import net
from pipeline.streams.runtime import Runtime, now

EVENTS, TURNS = 40_000, 5


def best(*acts):
    """Least seconds of each act, which take turns."""
    found = [float("inf")] * len(acts)
    for _ in range(TURNS):
        for place, act in enumerate(acts):
            began = time.perf_counter()
            act()
            found[place] = min(found[place], time.perf_counter() - began)
    return found


class Receiver:
    """Accepts everything."""

    async def post(self, _request):
        return Answer(status=200, retry_after=None, text="{}")

    @asynccontextmanager
    async def opened(self, _plan):
        yield self


def test_sealing_sending_and_recording_cost_less_than_writing_the_calls_as_json(tmp_path):
    """A loop over messages in a task would cost several times as much as all of it does."""
    rows = wire.drafts(EVENTS, people=EVENTS // 8)
    calls = [json.loads(row["body"].removesuffix(",")) for row in rows]
    given = pa.Table.from_pylist(rows, schema=wire.DRAFT)
    runtime = Runtime(settings=settings(tmp_path, "http://127.0.0.1:9", {}), secrets=SECRETS)
    policy = SealPolicy(
        feed="orders", envelope=b"{}", hashing_key=SECRETS.hashing_key, call_bytes=32_000
    )

    def task():
        plan = runtime.plan("deliver", 1, Barrier(read_at=now()), 1e6, waive_ratio=False)

        async def recorded():
            read = partial(seal, policy=policy)
            found = deliver(given.to_batches(), plan, read, Receiver().opened)
            return sum([batch.num_rows async for batch in found])

        assert asyncio.run(recorded()) > EVENTS

    ours, floor = best(task, lambda: [json.dumps(call) for call in calls])
    assert ours < 2 * floor, f"{ours:.3f} s, json.dumps of the same calls {floor:.3f} s"


def test_mapping_stays_near_sparks_own_json(spark, tmp_path):
    """An expression that Spark evaluates row by row in vain shows here, against its own floor."""
    source = Source(spark, str(tmp_path / "orders"))
    source.create()
    source.commit(EVENTS)
    checked = source.checked()

    def ours():
        changes = alternatives.commit(spark, source.path, source.version)
        netted = net(changes, checked.feed, unique_inserts=True)
        rows = drafts(netted, checked, partitions=2, one_version=True, in_parts=True)
        rows.write.format("noop").mode("overwrite").save()

    def alone():
        alternatives.spark_alone(spark, source.path, source.version, EVENTS)

    mapped, floor = best(ours, alone)
    assert mapped < 10 * floor, f"{mapped:.3f} s, Spark alone {floor:.3f} s"
