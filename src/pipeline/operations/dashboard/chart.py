"""A chart widget as SVG, by Vega-Lite; its colours are variables of the page's style."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import vl_convert

from pipeline.operations.dashboard.read import Widget

COLUMN: Final = 146
"""Width of one of a page's six columns; pages scale charts to what room there is."""
HEIGHT: Final = 185
MOST_TICKS: Final = 8
SERIES: Final = 8
"""Colours of the page's style."""
MINUTES: Final = "utcyearmonthdatehoursminutes"
_FONT: Final = "Liberation Sans, Arial, Helvetica, sans-serif"
_STYLE: Final[Mapping[str, Any]] = {
    "background": "transparent",
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--quiet)",
        "titleColor": "var(--quiet)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 14,
        "labelLimit": 160,
    },
    "legend": {
        "labelColor": "var(--ink)",
        "labelFontSize": 11,
        "orient": "bottom",
        "title": None,
        "columns": 3,
        "columnPadding": 22,
        "labelLimit": 120,
        "symbolType": "square",
    },
    "line": {"strokeWidth": 2, "point": {"size": 24}},
}


def draw(widget: Widget, rows: Sequence[Mapping[str, Any]]) -> str:
    """The widget's chart, with its alternative text."""
    svg: str = vl_convert.vegalite_to_svg(specification(widget, rows), vl_version="5.20")
    label = f"{widget.title}: {len(rows)} figures, in the table below the chart"
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def specification(widget: Widget, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The chart in Vega-Lite."""
    x, y, *more = widget.columns
    categorical = x.scale == "categorical"
    encoding: dict[str, Any] = {
        "x": {
            "field": x.field,
            "type": "quantitative" if categorical else "temporal",
            "title": None,
        },
        "y": {"field": y.field, "type": "quantitative", "title": y.title},
    }
    if categorical:
        # Names are read across: so bars lie.
        encoding["x"] = {"field": y.field, "type": "quantitative", "title": y.title}
        encoding["y"] = {"field": x.field, "type": "nominal", "title": None, "sort": "-x"}
    else:
        encoding["x"]["scale"] = {"type": "utc"}
        encoding["x"]["axis"] = {
            "format": "%H:%M",
            "labelOverlap": True,
            **_ticks([row[x.field] for row in rows]),
        }
        if widget.kind == "bar":
            encoding["x"]["timeUnit"] = MINUTES
    if more:
        encoding["color"] = _color(more[0].field, rows)
    if all(isinstance(row[y.field], int | None) for row in rows):
        encoding["x" if categorical else "y"]["axis"] = {"tickMinStep": 1, "tickCount": 5}
    mark: dict[str, Any] = {"type": widget.kind}
    if categorical:
        mark["size"] = 18
    if not more:
        mark["color"] = "var(--c1)"
    return {
        "width": COLUMN * widget.width,
        "height": HEIGHT,
        "autosize": {"type": "fit", "contains": "padding"},
        "data": {"values": [{n: plain(v) for n, v in row.items()} for row in rows]},
        "mark": mark,
        "encoding": encoding,
        "config": _STYLE,
    }


def _ticks(times: Sequence[datetime]) -> dict[str, Any]:
    """Few ticks, on whole minutes, no two alike."""
    first, last = (int(at.timestamp() // 60) for at in (min(times), max(times)))
    step = next((step for step in _STEPS if last - first <= MOST_TICKS * step), _STEPS[-1])
    begin = first + -first % step
    return {"values": [minute * 60_000 for minute in range(begin, last + 1, step)]}


_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 240)


def _color(field: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is good is green and what is bad is red, wherever it is named; the rest by turn."""
    names = sorted({str(row[field]) for row in rows})
    turn = iter(range(len(names)))
    colors = [f"var(--{_MEANT[n]})" if n in _MEANT else _series(next(turn)) for n in names]
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": names, "range": colors},
    }


def _series(number: int) -> str:
    return f"var(--c{number % SERIES + 1})"


_MEANT: Final = {
    "accepted": "good",
    "dead": "bad",
    "queued": "warn",
    "skipped": "quiet",
    "cancelled": "line",
    "http_400": "bad",
    "http_401": "bad",
    "http_403": "bad",
    "http_429": "warn",
    "http_500": "c4",
    "http_502": "c4",
    "http_503": "c4",
    "http_504": "c4",
    "reset": "c6",
    "timeout": "c5",
    "connect": "c8",
    "network": "c8",
}


def plain(value: Any) -> Any:
    """A value that JSON has."""
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return float(value)
        case bytes() | bytearray():
            return value.hex()
        case _:
            return value
