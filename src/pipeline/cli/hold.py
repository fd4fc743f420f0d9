"""Feeds that wait for somebody."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pipeline.cli.options import LOCAL, AsJson, Conf
from pipeline.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Feeds that wait for somebody.")


@app.command("list")
def hold_list(
    conf: Conf = LOCAL,
    as_json: AsJson = False,  # noqa: FBT002  typer's way to a flag
) -> None:
    """What holds, since when, why, and what it waits for."""
    from pipeline.tables import holds  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.layout import layout  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings = load_settings(conf)
    found = holds.current(active_session(), layout(settings))
    if as_json:
        sys.stdout.write(json.dumps([_as_json(one) for one in found], indent=2) + "\n")
    else:
        _print(found)


def _as_json(one: Any) -> dict[str, Any]:
    noted = one.noted
    return {
        "job": noted.job,
        "feed": noted.feed,
        "reason": noted.reason,
        "detail": noted.detail,
        "job_stopped": one.entry == "left",
        "source_version": noted.source_version,
        "messages": noted.messages,
        "began_at": noted.began_at.isoformat(),
        "recorded_at": one.recorded_at.isoformat(),
        "hold_id": noted.hold_id,
    }


def _print(found: Sequence[Any]) -> None:
    console = Console()
    if not found:
        console.print("nothing holds")
        return
    table = Table(title="What holds", show_lines=True)
    for name in ("feed", "reason", "since"):
        table.add_column(name, no_wrap=True)
    for name in ("source version", "messages"):
        table.add_column(name, justify="right")
    table.add_column("what it waits for")
    for one in found:
        noted = one.noted
        stopped = "; its job has stopped" if one.entry == "left" else ""
        table.add_row(
            noted.feed or noted.job,
            noted.reason,
            _since(noted.began_at),
            "" if noted.source_version is None else str(noted.source_version),
            "" if noted.messages is None else f"{noted.messages:,}",
            noted.detail + stopped,
        )
    console.print(table)


def _since(began_at: datetime) -> str:
    return str(timedelta(seconds=round((datetime.now(UTC) - began_at).total_seconds())))


@app.command("release")
def hold_release(
    feed: Annotated[str, typer.Option(help="Feed that holds.")],
    version: Annotated[int, typer.Option(help="Up to which source version; the log names it.")],
    conf: Conf = LOCAL,
) -> None:
    """Let a feed go on that holds for its deletes or its share of dead letters."""
    from pipeline.operations.release import release  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.session import active_session  # noqa: PLC0415

    release(active_session(), load_settings(conf), feed, version)
    typer.echo(f"feed {feed} goes on, up to source version {version}")
