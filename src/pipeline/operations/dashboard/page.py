"""The pages: HTML and style alone; the one script reads the page anew, and only when it is live."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from html import escape
from importlib.resources import files
from typing import Any, Final

from pipeline.core.age import age_text
from pipeline.operations.dashboard.chart import draw
from pipeline.operations.dashboard.fill import Filled
from pipeline.operations.dashboard.read import Dashboard, Widget

ALARMING: Final = {"alerts": "bad", "holds": "bad", "waiting": "warn", "dead_24h": "warn"}
"""Counters that are coloured when they are not nought."""
FRESH: Final = timedelta(minutes=1)
"""What is older may not be so any more."""
NAMED: Final = 3
"""Alerts that the first line names."""
SHOWN: Final = 200
"""Rows of a table at most."""


def headline(overview: Filled | None) -> tuple[str, str]:
    """Is it well? A word for the style, and a sentence."""
    alerts, holds = _counted(overview, "alerts"), _counted(overview, "holds")
    if alerts is None or holds is None:
        return "quiet", "Not known: nothing could be read"
    if not alerts and not holds:
        return "good", "All is well: no alert fires, nothing holds"
    parts = [f"{alerts} alert{'s fire' if alerts != 1 else ' fires'}"] if alerts else []
    parts += [f"{holds} hold{'s' if holds != 1 else ''}"] if holds else []
    named = _named(overview)
    return "bad", ", ".join(parts) + (f": {named}" if named else "")


def _named(overview: Filled | None) -> str:
    """The first alerts that fire, with their feeds: it is what somebody was woken for."""
    for widget in overview.dashboard.widgets if overview is not None else ():
        if widget.kind == "table" and {"alert", "feed"} <= set(widget.fields):
            rows = overview.rows.get(widget.name, ()) if overview is not None else ()
            words = [
                str(row["alert"]) + (f" of {row['feed']}" if row["feed"] else "") for row in rows
            ]
            more = f" and {len(words) - NAMED} more" if len(words) > NAMED else ""
            return ", ".join(words[:NAMED]) + more
    return ""


def _counted(filled: Filled | None, field: str) -> int | None:
    """What the counter of *field* shows."""
    for widget in filled.dashboard.widgets if filled is not None else ():
        rows = filled.rows.get(widget.name) if filled is not None else None
        if widget.kind == "counter" and rows and field in rows[0]:
            return int(rows[0][field])
    return None


def main(filled: Filled, said: tuple[str, str]) -> str:
    """The part of a page that changes."""
    tone, words = said
    body = "".join(_widget(w, filled.rows.get(w.name, ())) for w in filled.dashboard.widgets)
    return (
        f'<p class="said {tone}" role="status">{escape(words)}</p>'
        f'<h2 id="{escape(filled.dashboard.name)}">{escape(filled.dashboard.title)}</h2>'
        f'<p class="at">as of <time datetime="{filled.at.isoformat()}">'
        f"{filled.at:%Y-%m-%d %H:%M:%S} UTC</time></p>"
        f'<div class="grid">{body}</div>'
    )


def aged(content: str, age: timedelta) -> str:
    """What was drawn a while ago: it says so first, and what was green then is not green now."""
    if age <= FRESH:
        return content
    before = f"Read {age_text(age.total_seconds())} ago: "
    for tone, now in (("good", "warn"), ("bad", "bad")):
        said = f'<p class="said {tone}" role="status">'
        content = content.replace(said, f'<p class="said {now}" role="status">{before}', 1)
    return content


def page(
    target: str, dashboards: Sequence[Dashboard], content: str, *, here: str, live: float | None
) -> str:
    """A whole page. Live ones are read anew every so many seconds; the others link within."""
    links = "".join(
        f'<a href="{_link(one, live)}"{_current(one.name == here)}>{escape(one.title)}</a>'
        for one in dashboards
    )
    script = f'<script data-seconds="{live:g}">{_asset("live.js")}</script>' if live else ""
    refresh = (
        f'<noscript><meta http-equiv="refresh" content="{max(live, 5):.0f}"></noscript>'
        if live
        else ""
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark">'
        f"<title>{escape(target)}: pipeline</title>{refresh}<style>{_asset('page.css')}</style>"
        f'</head><body><a class="skip" href="#main">To the content</a>'
        f"<header><h1>Delta to Customer.io <span>{escape(target)}</span></h1>"
        f'<nav aria-label="Dashboards">{links}</nav></header>'
        f'<main id="main" tabindex="-1">{content}</main>{script}</body></html>'
    )


def _link(one: Dashboard, live: float | None) -> str:
    return escape(f"/{one.name}" if live else f"#{one.name}")


def _current(here: bool) -> str:  # noqa: FBT001  one word of an attribute
    return ' aria-current="page"' if here else ""


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _widget(widget: Widget, rows: Sequence[Mapping[str, Any]]) -> str:
    match widget.kind:
        case "text":
            inner = f"<p>{escape(widget.description)}</p>"
        case "counter":
            inner = _counter(widget, rows)
        case "table":
            inner = _table(widget, rows)
        case "bar" | "line" | "area":
            inner = _chart(widget, rows)
    size = f"--x:{widget.x + 1};--w:{widget.width}"
    return f'<section class="{widget.kind}" style="{size}">{inner}</section>'


def _head(widget: Widget) -> str:
    more = f'<p class="more">{escape(widget.description)}</p>' if widget.description else ""
    return f"<h3>{escape(widget.title)}</h3>{more}"


def _counter(widget: Widget, rows: Sequence[Mapping[str, Any]]) -> str:
    field = widget.columns[0].field
    value = rows[0][field] if rows else None
    tone = ALARMING.get(field, "") if value else ""
    return f'<h3>{escape(widget.title)}</h3><p class="value {tone}">{escape(text(value))}</p>'


def _chart(widget: Widget, rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return f'{_head(widget)}<p class="none">Nothing in this time.</p>'
    table = _rows(widget, rows)
    try:
        drawn = draw(widget, rows)
    except ValueError:  # a chart that cannot be drawn costs only itself
        return f'{_head(widget)}<p class="none">This chart could not be drawn.</p>{table}'
    return f"{_head(widget)}<div>{drawn}</div><details><summary>Figures</summary>{table}</details>"


def _table(widget: Widget, rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return f'{_head(widget)}<p class="none">None.</p>'
    return f"{_head(widget)}{_rows(widget, rows)}"


def _rows(widget: Widget, rows: Sequence[Mapping[str, Any]]) -> str:
    numeric = {
        c.field
        for c in widget.columns
        if all(isinstance(r[c.field], int | float | Decimal | None) for r in rows)
    }
    head = "".join(
        f'<th scope="col"{_right(c.field in numeric)}>{escape(c.title)}</th>'
        for c in widget.columns
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{escape(c.title)}"{_right(c.field in numeric)}>'
            f"{_cell(row[c.field])}</td>"
            for c in widget.columns
        )
        + "</tr>"
        for row in rows[:SHOWN]
    )
    cut = f'<p class="more">{len(rows) - SHOWN:,} more</p>' if len(rows) > SHOWN else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(widget.title)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{cut}"
    )


def _cell(value: Any) -> str:
    """A value; an address becomes a link, which only our own settings can give."""
    words = escape(text(value))
    if isinstance(value, str) and value.startswith("https://") and " " not in value:
        return f'<a href="{words}">{words}</a>'
    return words


def _right(yes: bool) -> str:  # noqa: FBT001  one word of an attribute
    return ' class="number"' if yes else ""


def text(value: Any) -> str:
    """A value as people read it; what is not known is a dash, never nought."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%m-%d %H:%M:%S}"
        case int():
            return f"{value:,}"
        case float() | Decimal():
            number = float(value)
            return f"{number:,.0f}" if number == round(number) else f"{number:,.2f}".rstrip("0")
        case _:
            return str(value)
