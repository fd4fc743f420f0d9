"""Figures as OpenTelemetry metrics: all that there are, none that are not, and off by default."""

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from pipeline.core.alarm import FeedFigures, HoldFigures
from pipeline.settings import Observe
from pipeline.watch import export as module
from pipeline.watch.export import GAUGES, HOLDS, ExportError, export, register


def read(reader):
    """Name and feed to value."""
    data = reader.get_metrics_data()
    if data is None:
        return {}
    return {
        (metric.name, point.attributes["feed"]): point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


def test_nothing_is_exported_unless_it_is_asked_for():
    """Whoever has no collector must not be made to install one."""
    assert export(Observe(), "prod") is None


def test_figures_are_exported_as_they_are_now_and_absent_ones_are_not():
    """A gauge that keeps its last value, or shows nought, hides that nothing is known."""
    reader = InMemoryMetricReader()
    latest = register("prod", [reader])
    assert read(reader) == {}
    latest.feeds = (FeedFigures(feed="orders", waiting=7, oldest_seconds=30.0, slow_ms=None),)
    latest.holds = (HoldFigures(feed=None, reason="http_401", seconds=9.0, detail=""),)
    found = read(reader)
    assert found["pipeline.queue.waiting", "orders"] == 7
    assert found["pipeline.queue.oldest", "orders"] == 30
    assert found[HOLDS, "drain"] == 9
    assert ("pipeline.requests.p95", "orders") not in found
    latest.holds = ()
    assert (HOLDS, "drain") not in read(reader)
    assert {name for name, _ in found} <= GAUGES.keys() | {HOLDS}


def test_what_is_asked_for_and_not_installed_is_refused_with_what_to_do(monkeypatch):
    """An import error at the first look would be found out by nobody."""

    def absent(_):
        raise ImportError("opentelemetry")

    monkeypatch.setattr(module, "_readers", absent)
    with pytest.raises(ExportError, match=r"customerio-pipeline\[otel\]"):
        export(Observe(otlp_endpoint="http://127.0.0.1:4318/v1/metrics"), "prod")
