"""The show, drawn: live on a terminal, in plain lines elsewhere."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pipeline.demo.stage import Picture

KINDS: Final = ("accepted", "queued", "dead", "skipped", "cancelled")
PLAIN_SECONDS: Final = 5.0
OK: Final = "200"


class Screen(Protocol):
    """Where pictures go."""

    def show(self, picture: Picture) -> None:
        """Show one."""


@dataclass(slots=True)
class Lines:
    """A line a scene, and one now and then."""

    console: Console
    scene: str = ""
    shown_at: float = -PLAIN_SECONDS

    def show(self, picture: Picture) -> None:
        """Print what is new."""
        scene = f"{picture.scene}: {picture.says}"
        if scene != self.scene:
            self.scene = scene
            self.console.print(f"{picture.seconds:6.1f} s  {scene}", soft_wrap=True)
        elif picture.seconds - self.shown_at >= PLAIN_SECONDS:
            self.shown_at = picture.seconds
            self.console.print(f"{picture.seconds:6.1f} s    {_sentence(picture)}", soft_wrap=True)


@dataclass(slots=True)
class Animated:
    """One picture, drawn over and over."""

    live: Live

    def show(self, picture: Picture) -> None:
        """Draw."""
        self.live.update(draw(picture))


@contextmanager
def screen(console: Console) -> Iterator[Screen]:
    """A screen that fits the terminal, or the lack of one."""
    if not console.is_terminal:
        yield Lines(console)
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield Animated(live)


def draw(picture: Picture) -> Panel:
    """The whole picture."""
    scene = Text.assemble((picture.scene, "bold"), "  ", picture.says)
    return Panel(
        Group(scene, "", _feeds(picture), "", _state(picture)),
        title="Delta change feeds to Customer.io",
        subtitle=f"{picture.seconds:.0f} s; Ctrl-C stops everything",
        padding=(1, 2),
    )


def _feeds(picture: Picture) -> Table:
    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column("feed")
    for name in ("written", *KINDS):
        table.add_column(name, justify="right")
    for line in picture.feeds:
        counts = [_count(line.counts.get(kind, 0)) for kind in KINDS]
        table.add_row(line.feed, _count(line.written), *counts)
    return table


def _state(picture: Picture) -> Table:
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_row("rate", f"{picture.rate:,.0f} accepted a second, {picture.waiting:,} to go")
    table.add_row("retry queue", f"{picture.queued:,} messages")
    table.add_row("circuits", _pairs(picture.circuits) or "-")
    holds = Text(_pairs(picture.holds) or "none", style="bold red" if picture.holds else "green")
    table.add_row("holds", holds)
    table.add_row("sandbox", f"{picture.received:,} messages, {picture.repeats:,} repeats")
    table.add_row("its answers", _answers(picture.answers) or "-")
    table.add_row("jobs say", "; ".join(picture.said) or "-")
    return table


def _sentence(picture: Picture) -> str:
    parts = [
        f"{sum(line.written for line in picture.feeds):,} changes written",
        f"{picture.received:,} received ({picture.rate:,.0f} a second)",
        f"{picture.waiting:,} to go",
        f"{picture.queued:,} in the retry queue",
    ]
    if picture.holds:
        parts.append(f"holds: {_pairs(picture.holds)}")
    return ", ".join(parts)


def _count(number: int) -> str:
    return f"{number:,}" if number else "-"


def _pairs(pairs: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(pairs.items()))


def _answers(answers: Mapping[str, int]) -> Text:
    """Requests by answer, the bad ones in red."""
    parts = [
        Text(f"{number:,} x {answer}", style="green" if answer == OK else "red")
        for answer, number in sorted(answers.items())
    ]
    return Text(", ").join(parts)
