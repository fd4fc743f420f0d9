"""The status, drawn: what is wrong first, then the feeds, then the rest."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipeline.core.age import age_text
from pipeline.operations.status import FeedStatus, Status

OLD_SECONDS: Final = 900.0
"""A message that waits for longer is worth a word."""


def troubles(found: Status) -> list[str]:
    """What is wrong, in a sentence each; nothing when all is well."""
    said = [f"{_subject(a)} {a['detail'] or a['alert']} ({a['runbook']})" for a in found.alerts]
    if found.drain is None:
        said.append("drain does not run: what waits in the retry queue is not sent")
    stopped = [one.feed for one in found.feeds if one.holder is None]
    if stopped and len(stopped) == len(found.feeds):
        said.append("deliver does not run: nothing new is sent")
    else:
        said += [f"{feed}: deliver does not run for it" for feed in stopped]
    for one in found.feeds:
        if one.waiting and (one.oldest_seconds or 0) > OLD_SECONDS:
            oldest = age_text(one.oldest_seconds)
            said.append(f"{one.feed}: {one.waiting:,} messages wait, the oldest since {oldest}")
    told = {(alert["alert"], alert["feed"]) for alert in found.alerts}
    said += [
        f"{hold['feed'] or hold['job']}: holds for {hold['reason']}"
        for hold in found.holds
        if (f"hold.{hold['reason']}", hold["feed"]) not in told
    ]
    said += [f"{c['feed']}: circuit {c['state']} ({c['job']})" for c in _open(found)]
    return said


def draw(found: Status) -> RenderableType:
    """The whole screen."""
    wrong = troubles(found)
    head = Text.assemble(
        (f"{found.target}", "bold"), f"  {found.at:%Y-%m-%d %H:%M:%S} UTC  ",
        ("all is well", "bold green") if not wrong else (f"{len(wrong)} to look at", "bold red"),
    )  # fmt: skip
    parts: list[RenderableType] = [head, *(Text(f"  {line}", style="red") for line in wrong), ""]
    parts += [_feeds(found), "", _rest(found)]
    return Group(*parts)


def _feeds(found: Status) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("feed")
    for name in (
        "behind", "accepted 15 min", "24 h", "dead 24 h", "waiting", "oldest", "p95 age", "open",
        "last accepted", "deliver",
    ):  # fmt: skip
        table.add_column(name, justify="right")
    for one in found.feeds:
        table.add_row(*_cells(one, found.at))
    return table


def _cells(one: FeedStatus, now: datetime) -> tuple[RenderableType, ...]:
    last = None if one.accepted_at is None else (now - one.accepted_at.astimezone(UTC))
    return (
        one.feed,
        "?" if one.behind is None else f"{one.behind:,}" if one.behind else "-",
        f"{one.accepted_15m:,}",
        f"{one.accepted_24h:,}",
        Text(f"{one.dead_24h:,}", style="yellow" if one.dead_24h else ""),
        Text(f"{one.waiting:,}", style="yellow" if one.waiting else ""),
        age_text(one.oldest_seconds),
        age_text(one.freshness_p95_s),
        f"{one.open_messages:,}" if one.open_messages else "-",
        "never" if last is None else f"{age_text(max(last.total_seconds(), 0))} ago",
        Text("runs", style="green") if one.holder else Text("stopped", style="red"),
    )


def _rest(found: Status) -> Table:
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_row("drain", found.drain or Text("stopped", style="red"))
    waiting = [f"{r['waiting']:,} {r['feed']} {r['reason'] or '-'}" for r in found.queue]
    table.add_row("queue", ", ".join(waiting) or "empty")
    held = [f"{h['feed'] or h['job']} {h['reason']}" for h in found.holds]
    table.add_row("holds", Text(", ".join(held), style="red") if held else "none")
    circuits = [f"{c['feed']} {c['state']} ({c['job']})" for c in _open(found)]
    table.add_row("circuits", Text(", ".join(circuits), style="red") if circuits else "closed")
    errors = Text("\n").join(
        Text(f"{e['requests']:,} x {e['reason']} {e['answer'] or ''}".rstrip())
        for e in found.errors
    )
    table.add_row("errors, 1 h", errors if found.errors else "none")
    table.add_row("alerts", ", ".join(a["alert"] for a in found.alerts) or "none fire")
    for one in found.feeds:
        if one.first_load is not None:
            done, parts = one.first_load
            bar = ProgressBar(total=parts, completed=done, width=30)
            words = Text(f"{one.feed}: {done:,} of {parts:,} parts")
            table.add_row("first load", Columns([words, bar]))
    missing = sum(one.open_messages for one in found.feeds)
    books = f"{missing:,} messages of the last day have no outcome yet" if missing else "closed"
    table.add_row("books, 24 h", books)
    return table


def _open(found: Status) -> list[Mapping[str, Any]]:
    return [one for one in found.circuits if one["state"] not in (None, "closed")]


def _subject(alert: Mapping[str, Any]) -> str:
    return f"{alert['feed']}:" if alert["feed"] else "pipeline:"
