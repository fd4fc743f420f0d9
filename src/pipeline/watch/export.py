"""The figures of the last look as OpenTelemetry metrics: pushed, scraped, or (by default) neither.

Gauges are observed when they are read: a figure that is absent is not observed, never nought.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from pipeline.core.alarm import FeedFigures, HoldFigures
from pipeline.settings import Observe

Figure = Callable[[FeedFigures], float | None]
GAUGES: Final[Mapping[str, tuple[str, str, Figure]]] = {
    "pipeline.queue.waiting": ("{message}", "Messages that wait", lambda f: f.waiting),
    "pipeline.queue.oldest": ("s", "Age of the oldest that waits", lambda f: f.oldest_seconds),
    "pipeline.accepted": ("{message}", "Accepted in 15 minutes", lambda f: f.accepted),
    "pipeline.dead": ("{message}", "Dead letters in 15 minutes", lambda f: f.dead),
    "pipeline.requests": ("{request}", "Requests in 15 minutes", lambda f: f.requests),
    "pipeline.requests.failed": ("{request}", "Failed in 15 minutes", lambda f: f.failed),
    "pipeline.requests.p95": ("ms", "Time of a request, 95th percentile", lambda f: f.slow_ms),
    "pipeline.freshness.p95": (
        "s",
        "Commit to accepted, 95th percentile",
        lambda f: f.freshness_seconds,
    ),
    "pipeline.changes": ("{change}", "Changes read in 60 minutes", lambda f: f.changes_hour),
    "pipeline.retention.used": (
        "1",
        "Share of the source's retention that the backlog uses",
        lambda f: f.retention_used,
    ),
    "pipeline.retention.left": (
        "s",
        "Until the source may drop what was not read",
        lambda f: f.retention_left_seconds,
    ),
    "pipeline.books.missing": ("{message}", "Messages without an outcome", lambda f: f.missing),
}
"""Name to unit, meaning and figure; each has the attribute feed."""
HOLDS: Final = "pipeline.holds"


class ExportError(Exception):
    """Metrics are asked for, and what exports them is not installed; says what to do."""


@dataclass(slots=True)
class Latest:
    """The figures of the last look, as the gauges are asked for them."""

    feeds: tuple[FeedFigures, ...] = field(default=())
    holds: tuple[HoldFigures, ...] = field(default=())

    def of(self, figure: Figure) -> Iterator[tuple[float, dict[str, str]]]:
        """The figure of each feed that has it."""
        for one in self.feeds:
            if (value := figure(one)) is not None:
                yield float(value), {"feed": one.feed}

    def held(self) -> Iterator[tuple[float, dict[str, str]]]:
        """Seconds that each hold has lasted."""
        for one in self.holds:
            yield one.seconds, {"feed": one.feed or "drain", "reason": one.reason}


def export(observe: Observe, target: str) -> Latest | None:
    """Switch on what the settings say; None where they say nothing.

    Raises:
        ExportError: the extra `otel` is not installed.
    """
    if observe.otlp_endpoint is None and observe.prometheus_port is None:
        return None
    try:
        readers = list(_readers(observe))
        return register(target, readers)
    except ImportError as error:
        raise ExportError(
            "observe.otlp_endpoint or observe.prometheus_port is set, and OpenTelemetry is not "
            "installed: pip install customerio-pipeline[otel]"
        ) from error


def _readers(observe: Observe) -> Iterator[Any]:
    if observe.otlp_endpoint is not None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415
            OTLPMetricExporter,
        )
        from opentelemetry.sdk.metrics.export import (  # noqa: PLC0415
            PeriodicExportingMetricReader,
        )

        yield PeriodicExportingMetricReader(
            OTLPMetricExporter(endpoint=observe.otlp_endpoint),
            export_interval_millis=observe.watch_every.total_seconds() * 1_000,
        )
    if observe.prometheus_port is not None:
        from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415
        from prometheus_client import start_http_server  # noqa: PLC0415

        start_http_server(observe.prometheus_port, addr="127.0.0.1")
        yield PrometheusMetricReader()


def register(target: str, readers: Iterable[Any]) -> Latest:
    """Make the gauges, and what they are asked for."""
    from opentelemetry.metrics import CallbackOptions, Observation  # noqa: PLC0415  optional
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415

    latest = Latest()
    resource = Resource.create({"service.name": "customerio-pipeline", "pipeline.target": target})
    meter = MeterProvider(metric_readers=list(readers), resource=resource).get_meter("pipeline")

    def observed(
        values: Callable[[], Iterator[tuple[float, dict[str, str]]]],
    ) -> Callable[[CallbackOptions], list[Observation]]:
        return lambda _: [Observation(value, attributes) for value, attributes in values()]

    for name, (unit, says, figure) in GAUGES.items():
        meter.create_observable_gauge(
            name, [observed(partial(latest.of, figure))], unit=unit, description=says
        )
    meter.create_observable_gauge(HOLDS, [observed(latest.held)], "s", "How long a hold lasts")
    return latest
