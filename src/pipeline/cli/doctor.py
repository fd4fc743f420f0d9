"""Is a target fit to run?"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.options import LOCAL, AsJson, Conf
from pipeline.settings import load_settings

if TYPE_CHECKING:
    from pipeline.operations.diagnose import Check

app = typer.Typer()
STYLES: Final = {"ok": "green", "finding": "bold red", "unknown": "yellow"}


@app.command()
def doctor(
    conf: Conf = LOCAL,
    as_json: AsJson = False,  # noqa: FBT002  typer's way to a flag
) -> None:
    """Check a target before or after a deploy, on one page; exit status 1 on any finding."""
    from pipeline.operations.doctor import examine  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings = load_settings(conf)
    found = examine(active_session(), settings)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
    else:
        _print(settings.target, found)
    raise typer.Exit(1 if any(one.state == "finding" for one in found) else 0)


def _print(target: str, found: "Sequence[Check]") -> None:
    table = Table(title=f"Target {target}", title_justify="left", box=None, pad_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("")
    table.add_column("", overflow="fold")
    for one in found:
        says = Text(one.says)
        if one.todo:
            says.append(f"\n{one.todo}", style="bold")
        table.add_row(one.name, Text(one.state, style=STYLES[one.state]), says)
    console = Console()
    console.print(table)
    counts = {state: sum(one.state == state for one in found) for state in STYLES}
    console.print(
        f"{counts['finding']} findings, {counts['unknown']} unknown, {counts['ok']} ok"
        + ("" if counts["finding"] else ": fit to run")
    )
