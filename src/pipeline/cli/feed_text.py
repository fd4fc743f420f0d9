"""Print what `pipeline feed` finds."""

import json
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table

_STYLES: Final = {"error": "red", "warning": "yellow", "sent": "green", "dead": "red"}


def print_contract(console: Console, one: Any) -> None:
    """One feed's findings, a line each, with row keys for samples."""
    verdict = "fits" if one.holds else "BROKEN"
    console.print(
        escape(f"{one.feed}: {verdict} ({one.changes:,} changes: {one.chosen})"), soft_wrap=True
    )
    for found in one.findings:
        rows = f", {found.rows:,} rows" if found.rows else ""
        style = _STYLES[found.severity]
        words = escape(f"{found.what}{rows}")
        console.print(f"  [{style}]{found.severity}[/] {found.check}: {words}", soft_wrap=True)
        if found.keys:
            console.print(escape(f"      for example {', '.join(found.keys)}"), soft_wrap=True)


def print_preview(console: Console, found: Any) -> None:
    """Figures, what would become of the messages, and some of them beside their rows."""
    console.print(escape(f"Feed {found.feed}, {found.chosen}. Nothing is sent."), soft_wrap=True)
    console.print(
        f"{found.changes:,} changes become {found.sent:,} calls in {found.requests:,} requests, "
        f"{found.bytes:,} bytes; the largest call has {found.largest_call:,} of "
        f"{found.call_bytes:,}.",
        soft_wrap=True,
    )
    console.print(
        f"At {found.rate:,.0f} requests/s, this feed's rate: {found.seconds:,.2f} s at least.",
        soft_wrap=True,
    )
    if found.changes < found.total:
        console.print(
            f"All {found.total:,} changes, by this sample: about "
            f"{found.whole(found.requests):,.0f} requests, {found.whole(found.bytes):,.0f} bytes.",
            soft_wrap=True,
        )
    if found.holds:
        console.print(
            f"[red]deliver would hold this feed ({found.holds}):[/] so many refused rows are a "
            "wrong mapping, not bad rows.",
            soft_wrap=True,
        )
    if found.tallies:
        console.print(_tallies(found.tallies))
    for one in found.shown:
        _print_shown(console, one)
    if found.ids_are_examples and found.shown:
        console.print("The pipeline's keys are not at hand: the message ids are examples.")


def _tallies(tallies: Any) -> Table:
    table = Table()
    for name in ("becomes", "stage", "reason", "field"):
        table.add_column(name)
    table.add_column("messages", justify="right")
    table.add_column("row keys, for example", overflow="fold")
    for one in tallies:
        words = (one.stage or "", one.reason or "", one.detail or "")
        table.add_row(
            f"[{_STYLES.get(one.kind, 'yellow')}]{one.kind}[/]",
            *(escape(word) for word in words),
            f"{one.messages:,}",
            escape(", ".join(one.keys)),
        )
    return table


def _print_shown(console: Console, one: Any) -> None:
    why = " ".join(word for word in (one.stage, one.reason, one.detail) if word)
    head = f"{one.operation} of version {one.source_version}: {one.kind} {why}".rstrip()
    pair = Table(title=escape(head), title_justify="left", expand=True, show_edge=False)
    pair.add_column("row", ratio=1)
    pair.add_column("call", ratio=1)
    call = _json(one.call) if one.call is not None else "no call"
    pair.add_row(_json(one.row), call)
    console.print(pair)


def _json(value: Any) -> Syntax:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return Syntax(text, "json", word_wrap=True, background_color="default", theme="ansi_light")


_HOW: Final = {
    "other_end": "end otherwise",
    "only_before": "only before",
    "only_now": "only now",
    "differs": "other content",
    "same": "the same",
}


def print_comparison(console: Console, found: Any) -> None:
    """How many messages differ, in which fields, and some of them."""
    console.print(escape(f"Feed {found.feed}, {found.chosen}. Nothing is sent."), soft_wrap=True)
    counts = ", ".join(f"{found.counts.get(how, 0):,} {says}" for how, says in _HOW.items())
    console.print(f"Messages: {counts}.", soft_wrap=True)
    if found.renamed is not None:
        console.print(
            f"[red]The feed was named {escape(found.renamed)}:[/] a feed's name is part of its "
            "message ids and of its checkpoint, so it would start over and send all again.",
            soft_wrap=True,
        )
    for field, count in found.fields.items():
        console.print(escape(f"  {field}: differs in {count:,} calls"), soft_wrap=True)
    for one in found.differences:
        head = f"{_HOW[one.how]}: {one.key} {', '.join(one.fields)}".rstrip()
        pair = Table(title=escape(head), title_justify="left", expand=True, show_edge=False)
        for name, end in (("before", one.before), ("now", one.now)):
            said = "no message" if end is None else f"{end.kind} {end.why}".rstrip()
            pair.add_column(f"{name}: {escape(said)}", ratio=1)
        pair.add_row(*(_json(None if e is None else e.call) for e in (one.before, one.now)))
        console.print(pair)
