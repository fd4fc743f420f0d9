"""Write an anomaly that was found to `alerts`, and to the log: the one way to do it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pyspark.sql import SparkSession

from pipeline.core.alarm import RUNBOOK, anchor
from pipeline.core.records import ALERTS
from pipeline.log import logger
from pipeline.tables.layout import Layout
from pipeline.tables.rows import append_rows

Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An anomaly."""

    alert: str
    """Dotted name."""
    severity: Severity
    metric: str
    value: float
    expected: str
    detail: str
    """For people; names nobody."""
    feed: str | None = None
    state: Literal["firing", "recovered"] | None = None
    """None: a finding that has no end."""
    runbook: str | None = None
    """Where to read what to do; by default the runbook's section of the alert's name."""


def alert(spark: SparkSession, where: Layout, *found: Alert) -> None:
    """Append them in one commit."""
    for one in found:
        logger(feed=one.feed).warning(
            "alert",
            alert=one.alert,
            state=one.state or "found",
            metric=one.metric,
            value=one.value,
            expected=one.expected,
        )
    append_rows(
        spark,
        where,
        ALERTS,
        [
            {
                "alert": one.alert,
                "severity": one.severity,
                "feed": one.feed,
                "metric": one.metric,
                "value": float(one.value),
                "expected": one.expected,
                "detail": one.detail,
                "state": one.state,
                "runbook": one.runbook or f"{RUNBOOK}#{anchor(one.alert)}",
                "recorded_at": datetime.now(UTC),
            }
            for one in found
        ],
    )
