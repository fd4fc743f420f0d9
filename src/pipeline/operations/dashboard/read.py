"""Read an AI/BI dashboard file: its datasets, and the widgets of its pages.

Databricks publishes no schema of the format; what is read here is what its own examples have.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

Kind = Literal["counter", "table", "bar", "line", "area", "text"]
KINDS: Final = ("counter", "table", "bar", "line", "area")
SUFFIX: Final = ".lvdash.json"
FIRST: Final = "overview"
ORDER: Final = (FIRST, "deliveries", "quality", "business")
"""What is urgent comes first; others follow by name."""


class DashboardError(Exception):
    """A dashboard file cannot be used; the message says which, and what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A field of the widget's query, and how it is called."""

    field: str
    title: str
    scale: str = ""
    """temporal, categorical or quantitative, in charts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Widget:
    """One part of a page."""

    name: str
    kind: Kind
    title: str
    description: str
    dataset: str
    fields: Mapping[str, str]
    """Name of a field to its SQL expression over the dataset."""
    aggregated: bool
    columns: tuple[Column, ...]
    """Of a counter its value; of a chart x, y, and colour where it has one."""
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One file."""

    name: str
    title: str
    datasets: Mapping[str, str]
    """Name to SQL; tables and views by their bare names."""
    widgets: tuple[Widget, ...]
    """In reading order."""


def read_dashboards(folder: Path) -> tuple[Dashboard, ...]:
    """All dashboards of a folder, in an order that helps.

    Raises:
        DashboardError: there is none, or one is of a shape that is not known here.
    """
    files = sorted(folder.glob(f"*{SUFFIX}"), key=_rank)
    if not files:
        raise DashboardError(
            f"{folder}: there are no dashboards (*{SUFFIX}) in it; give their folder with --files"
        )
    return tuple(read_dashboard(file) for file in files)


def _rank(file: Path) -> tuple[int, str]:
    name = file.name.removesuffix(SUFFIX)
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def read_dashboard(file: Path) -> Dashboard:
    """One dashboard."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        pages = content["pages"]
        return Dashboard(
            name=file.name.removesuffix(SUFFIX),
            title=pages[0]["displayName"],
            datasets={one["name"]: _sql(one) for one in content["datasets"]},
            widgets=tuple(sorted(_widgets(pages), key=lambda one: (one.y, one.x))),
        )
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise DashboardError(
            f"{file}: is no dashboard that can be read: {type(error).__name__}: {error}"
        ) from error


def _sql(dataset: Mapping[str, Any]) -> str:
    return "".join(dataset["queryLines"]) if "queryLines" in dataset else str(dataset["query"])


def _widgets(pages: list[dict[str, Any]]) -> Iterator[Widget]:
    for page in pages:
        for placed in page["layout"]:
            yield _widget(placed["widget"], placed["position"])


def _widget(widget: Mapping[str, Any], position: Mapping[str, int]) -> Widget:
    place = {name: position[name] for name in ("x", "y", "width", "height")}
    if "spec" not in widget:
        lines = "".join(widget["multilineTextboxSpec"]["lines"])
        return Widget(
            name=widget["name"],
            kind="text",
            title="",
            description=lines,
            dataset="",
            fields={},
            aggregated=False,
            columns=(),
            **place,
        )
    spec, query = widget["spec"], widget["queries"][0]["query"]
    kind = spec["widgetType"]
    if kind not in KINDS:
        raise ValueError(f"widget {widget['name']}: {kind} is not drawn here")
    frame = spec.get("frame", {})
    return Widget(
        name=widget["name"],
        kind=kind,
        title=frame.get("title", ""),
        description=frame.get("description", ""),
        dataset=query["datasetName"],
        fields={field["name"]: field["expression"] for field in query["fields"]},
        aggregated=not query.get("disaggregated", False),
        columns=tuple(_columns(spec["encodings"])),
        **place,
    )


def _columns(encodings: Mapping[str, Any]) -> Iterator[Column]:
    if "columns" in encodings:
        parts = list(encodings["columns"])
    else:
        parts = [encodings[n] for n in ("value", "x", "y", "color") if n in encodings]
    for part in parts:
        yield Column(
            field=part["fieldName"],
            title=part.get("displayName") or part.get("title") or part["fieldName"],
            scale=part.get("scale", {}).get("type", ""),
        )
