"""Map chosen changes as `deliver` would, beside their rows, and send nothing."""

import time
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import SecretStr
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.core.cipher import Keyring
from pipeline.core.seal import SealPolicy, seal
from pipeline.core.sealed import Sealed
from pipeline.core.wire import BATCH_PREFIX, batch_suffix
from pipeline.delivery.deliver import judge, lanes
from pipeline.delivery.lane import batches
from pipeline.delivery.plan import Barrier, Pace, Plan, Target
from pipeline.delivery.task import Task
from pipeline.settings import Settings
from pipeline.source.body import WITH_NULLS
from pipeline.source.checked import CheckedFeed
from pipeline.source.draft import messages, narrowed, order_columns
from pipeline.source.isolate import split
from pipeline.source.net import quoted
from pipeline.source.parts import template_of
from pipeline.source.view import KEY, OPERATION, ORDINAL, PREFIX, VERSION

ROW: Final = f"{PREFIX}row_shown"
BESIDE: Final = (KEY, OPERATION, ORDINAL, ROW)
"""Columns that stand beside the drafts'."""
EXAMPLE_KEY: Final = bytes(32)
"""Stands in where the pipeline's own keys are not at hand: ids then are examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What sending would take."""

    requests: int
    bytes: int
    """Of the requests' bodies, uncompressed."""
    largest_call: int
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Sealed messages with what stands beside them."""

    sealed: Sealed
    task: Task = field(repr=False)
    beside: pa.Table
    """`BESIDE`, row by row."""
    cost: Cost

    def words(self, place: int) -> tuple[str | None, str | None, str | None]:
        """Stage, reason and detail of what mapping and sealing said of the message at *place*."""
        return self.sealed.words.get(place, (None, None, None))

    def call(self, place: int) -> Any:
        """The call at *place* as JSON has it; None where mapping made none."""
        made = self.sealed.bodies[place].is_valid and self.words(place)[0] != "map"
        return self.sealed.call_at(place) if made else None


def mapped(netted: DataFrame, checked: CheckedFeed, *, in_parts: bool = False) -> DataFrame:
    """The drafts of net changes in sending order, with `BESIDE`; *in_parts* as `deliver` has them.

    Else Spark builds each call, for whoever asks Spark about it.
    """
    isolated = split(netted, checked) if checked.fallible else None
    narrow = narrowed(netted, checked, isolated)
    row = F.to_json(F.struct(*(quoted(n).alias(n) for n in checked.schema.names)), WITH_NULLS)
    ordered = (
        narrow.withColumn(ROW, row)
        .coalesce(1)
        .sortWithinPartitions(VERSION, *order_columns(checked), KEY, ORDINAL)
    )
    return messages(ordered, checked, *BESIDE, in_parts=in_parts)


def tried(netted: DataFrame, checked: CheckedFeed, settings: Settings, hashing_key: bytes) -> Trial:
    """Map net changes, seal and judge them, and cut them into requests, as `deliver` does."""
    table = mapped(netted, checked, in_parts=True).toArrow()
    policy = SealPolicy(
        feed=checked.feed.name,
        envelope=checked.feed.envelope(),
        hashing_key=hashing_key,
        call_bytes=settings.limits.call_bytes,
        template=template_of(checked),
    )
    sealed = seal(table.drop_columns(list(BESIDE)), policy)
    plan = _plan(settings)
    task = Task(sealed, plan.pace, waive_ratio=False)
    judge(task, plan)
    beside = table.select(list(BESIDE))
    return Trial(sealed=sealed, task=task, beside=beside, cost=_cost(task))


def _cost(task: Task) -> Cost:
    requests = size = 0
    for places in lanes(task):
        bodies = task.sealed.bodies.take(pa.array(places))
        sizes = pc.binary_length(bodies).to_numpy()
        for batch in batches(task, places, bodies):
            requests += 1
            size += int(sizes[batch.places].sum()) - 1
            if not batch.alone:
                size += len(BATCH_PREFIX) + len(batch_suffix(batch.envelope))
    largest = pc.max(pc.binary_length(task.sealed.bodies)).as_py() if len(task.sealed) else None
    return Cost(requests=requests, bytes=size, largest_call=(largest or 1) - 1)


def _plan(settings: Settings) -> Plan:
    """A plan of which only the packing and the judging are used: it has no destination."""
    delivery, now = settings.delivery, time.time()
    return Plan(
        job="preview",
        slice=0,
        target=Target(
            url="",
            write_key=SecretStr(""),
            strict=True,
            connect_timeout=settings.destination.connect_timeout,
            total_timeout=settings.destination.total_timeout,
        ),
        pace=Pace.of(delivery, settings.limits, 1.0),
        barrier=Barrier(read_at=now),
        deadline=now,
        retry=settings.retry,
        keys=Keyring(current="", keys={}),
    )
