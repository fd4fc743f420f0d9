"""Run the datasets' SQL on the pipeline's tables, and each widget's query on its dataset."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from pipeline.operations.dashboard.read import Dashboard, Widget
from pipeline.tables.layout import Layout
from pipeline.tables.views import make_views_of_now

Rows = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A dashboard with its rows, as of one moment."""

    dashboard: Dashboard
    rows: Mapping[str, Rows]
    """By widget."""
    at: datetime


def fill(spark: SparkSession, where: Layout, dashboard: Dashboard) -> Filled:
    """Read what the dashboard shows, all as of one moment. Each dataset is read once."""
    at = datetime.now(UTC)
    make_views_of_now(spark, where, dashboard.datasets.values())
    rows: dict[str, Rows] = {}
    for name, sql in dashboard.datasets.items():
        read = _collected(spark, sql)
        for widget in dashboard.widgets:
            if widget.dataset == name:
                rows[widget.name] = _of_widget(spark, sql, read, widget)
    return Filled(dashboard=dashboard, rows=rows, at=at)


def widget_sql(dataset: str, widget: Widget) -> str:
    """The query that Databricks runs for a widget."""
    fields = ", ".join(f"{expression} AS `{name}`" for name, expression in widget.fields.items())
    grouped = " GROUP BY ALL" if widget.aggregated else ""
    return f"SELECT {fields} FROM ({dataset}){grouped}"


def _of_widget(spark: SparkSession, sql: str, read: Rows, widget: Widget) -> Rows:
    plain = all(expression == f"`{name}`" for name, expression in widget.fields.items())
    if widget.aggregated or not plain:
        return _collected(spark, widget_sql(sql, widget))
    return tuple({name: row[name] for name in widget.fields} for row in read)


def _collected(spark: SparkSession, sql: str) -> Rows:
    return tuple(
        {name: _value(value) for name, value in row.asDict().items()}
        for row in spark.sql(sql).collect()
    )


def _value(value: Any) -> Any:
    """Spark's Python times are naive, in the zone of this process."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value
