"""Close the books."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pipeline import log
from pipeline.cli.options import LOCAL, AsJson, Conf
from pipeline.settings import load_settings

app = typer.Typer()

Days = Annotated[
    float | None,
    typer.Option(help="Only what was committed so many days ago or later; all without.", min=0),
]


@app.command()
def reconcile(
    conf: Conf = LOCAL,
    days: Days = None,
    as_json: AsJson = False,  # noqa: FBT002  typer's way to a flag
) -> None:
    """Close the books: exit status 1, and what is missing, when they do not close."""
    from pipeline.operations import reconcile as operation  # noqa: PLC0415  Spark is slow
    from pipeline.source.feed_files import load_feeds  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    log.set_up()
    settings = load_settings(conf)
    feeds = load_feeds(Path(settings.sources.feeds))
    since = None if days is None else datetime.now(UTC) - timedelta(days=days)
    found = operation.reconcile(active_session(), settings, feeds, since)
    if as_json:
        sys.stdout.write(json.dumps(operation.as_json(found), indent=2) + "\n")
    else:
        _print_books(found)
    raise typer.Exit(0 if all(one.closes for one in found) else 1)


def _print_books(found: Sequence[Any]) -> None:
    console = Console()
    table = Table(title="Books: changes in the source = accepted + queued + dead + ...")
    table.add_column("feed")
    states = ("changes", "messages", "accepted", "queued", "dead", "skipped", "cancelled")
    for name in states:
        table.add_column(name, justify="right")
    table.add_column("closes")
    for one in found:
        counts = [f"{getattr(one, name):,}" for name in states]
        table.add_row(one.feed, *counts, "yes" if one.closes else "NO")
    console.print(table)
    for one in found:
        for gap in one.missing:
            console.print(
                f"{gap.feed}, source version {gap.source_version}: {gap.what}: "
                f"expected {gap.expected:,}, found {gap.found:,}"
            )
