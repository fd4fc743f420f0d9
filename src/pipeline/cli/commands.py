"""What was asked for, by whom, and what became of it."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipeline.cli.options import LOCAL, AsJson, Conf
from pipeline.settings import load_settings

app = typer.Typer()


@app.command()
def commands(
    conf: Conf = LOCAL,
    limit: Annotated[int, typer.Option(min=1, help="So many, the newest first.")] = 20,
    as_json: AsJson = False,  # noqa: FBT002  typer's way to a flag
) -> None:
    """What was asked for (retry, discard, replay, release, ...), and what became of it."""
    from pipeline.cli.messages import print_json  # noqa: PLC0415
    from pipeline.operations.ask import asked  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.layout import layout  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    found = asked(active_session(), layout(load_settings(conf)), limit)
    if as_json:
        print_json([{**asdict(one), "waiting": one.waiting} for one in found])
        return
    if not found:
        Console().print("Nothing was asked for yet.")
        return
    table = Table(title="Commands, the newest first (times in UTC)")
    for name in ("at", "request", "verb", "feeds", "by"):
        table.add_column(name)
    for name in ("messages", "applied", "refused", "waiting"):
        table.add_column(name, justify="right")
    table.add_column("why refused", overflow="fold")
    for one in found:
        table.add_row(
            one.at.strftime("%Y-%m-%d %H:%M:%S"),
            one.request,
            one.verb,
            ", ".join(one.feeds) or "-",
            one.requested_by or "-",
            *(f"{n:,}" if n else "-" for n in (one.wishes, one.applied, one.refused, one.waiting)),
            "; ".join(one.words),
        )
    Console().print(table)
