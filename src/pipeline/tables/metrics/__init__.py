"""Metrics: one SQL file a view, by feed and minute, over the tables that the books use.

A file begins with comment lines that say what a row is; the rest is one SELECT. Tables and views
stand in braces. The views look back `DAYS` days, so that their cost does not grow with the tables.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

VERSION: Final = 2
"""Of the views' columns: raised when one is renamed, dropped or changes its meaning."""
DAYS: Final = 7
"""How far back the metrics look."""
ORDER: Final = (
    "metric_changes",
    "metric_messages",
    "metric_requests",
    "metric_answers",
    "metric_circuits",
    "metric_holds",
    "metric_queue",
    "metric_queue_depth",
    "metric_freshness",
    "metric_refusals",
    "metric_skips",
    "metric_business",
    "metric_progress",
    "metric_figures",
    "metric_completeness",
    "metric_orders",
    "metric_alerts",
    "metric_feeds",
)
"""A view may read those before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One view: what its rows are, and its SQL."""

    name: str
    says: str
    sql: str


@cache
def metrics() -> tuple[Metric, ...]:
    """All metrics, in an order that works."""
    return tuple(_read(name) for name in ORDER)


def _read(name: str) -> Metric:
    lines = files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8").splitlines()
    comment = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    sql = "\n".join(line for line in lines if not line.startswith("--"))
    return Metric(name=name, says=" ".join(comment), sql=sql.replace("{days}", str(DAYS)))
