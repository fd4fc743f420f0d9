"""Upkeep of the pipeline's own tables: spent payloads, retention, files; once a day is enough."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

from pyspark.sql import SparkSession

from pipeline.log import logger
from pipeline.operations.files import Cared, care
from pipeline.operations.retention import Removed, remove_old, spend_payloads
from pipeline.settings import Settings
from pipeline.tables import commands, retry_queue
from pipeline.tables.audit import audit
from pipeline.tables.layout import layout
from pipeline.tables.who import who

DRAIN_WAITS = 30.0
"""Seconds for drain to do its part; when it isn't running, its part is done when it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintained:
    """What a run did."""

    removed: tuple[Removed, ...]
    cared: tuple[Cared, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing was put off."""
        return all(one.rows is not None for one in self.removed) and all(
            one.vacuumed for one in self.cared
        )


def maintain(
    spark: SparkSession,
    settings: Settings,
    *,
    wait: float = DRAIN_WAITS,
    sleep: Callable[[float], None] = time.sleep,
) -> Maintained:
    """Do all of it; can be run at any time, beside the jobs, and again."""
    where, keep = layout(settings), settings.maintenance
    removed = (spend_payloads(spark, where), *remove_old(spark, where, keep.retention))
    _ask_drain(spark, settings, wait, sleep)
    cared = care(spark, where, keep.vacuum_after)
    done = Maintained(removed=removed, cared=cared)
    for one in removed:
        logger().info("maintain.removed", **asdict(one))
    for table in cared:
        logger().info("maintain.cared", **asdict(table))
    detail: dict[str, Any] = {
        "removed": {f"{one.table} {one.what}": one.rows for one in removed},
        "vacuumed": [one.table for one in cared if one.vacuumed],
        "vacuum_after": keep.vacuum_after.total_seconds(),
    }
    audit(spark, settings, "cli", "maintain.done", detail)
    return done


def _ask_drain(
    spark: SparkSession, settings: Settings, wait: float, sleep: Callable[[float], None]
) -> None:
    """Let drain compact its own table; that it has read all outcomes follows from its answer."""
    where = layout(settings)
    at = retry_queue.positions(spark, where).commands
    commands.wish(spark, where, str(uuid4()), "compact", requested_by=who(spark))
    until = time.monotonic() + wait
    while retry_queue.positions(spark, where).commands == at and time.monotonic() < until:
        sleep(min(2.0, wait))
