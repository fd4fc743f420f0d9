"""The audit log: who did what, and whether it is whole."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipeline.cli.options import LOCAL, AsJson, Conf
from pipeline.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Who did what, and whether the log of it is whole.")
Newest = Annotated[int, typer.Option("--last", min=1, help="How many, the newest.")]


@app.command("list")
def audit_list(
    conf: Conf = LOCAL,
    action: Annotated[str | None, typer.Option(help="Only this action, such as erase.")] = None,
    last: Newest = 50,
    as_json: AsJson = False,  # noqa: FBT002  typer's way to a flag
) -> None:
    """Print entries, the newest last."""
    from pipeline.tables.audit import entries  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings = load_settings(conf)
    found = entries(active_session(), settings, action=action)[-last:]
    if as_json:
        typer.echo(json.dumps([{**asdict(e), "detail": json.loads(e.detail)} for e in found],
                              indent=2, default=str))  # fmt: skip
        return
    table = Table("when", "who", "from", "writer", "action", "detail", title="Audit log")
    for entry in found:
        when = entry.recorded_at.isoformat(sep=" ", timespec="seconds")
        words = ", ".join(f"{k} {_short(v)}" for k, v in json.loads(entry.detail).items())
        table.add_row(when, entry.who, entry.origin, entry.writer, entry.action, words)
    Console().print(table)


@app.command("verify")
def audit_verify(conf: Conf = LOCAL) -> None:
    """Find entries that are missing or were changed; exit status 1 when there are any."""
    from pipeline.core.audit import verify  # noqa: PLC0415
    from pipeline.tables.audit import entries, heads  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings = load_settings(conf)
    written, anchored = entries(active_session(), settings), heads(settings)
    found = verify(written, anchored)
    for one in found:
        typer.echo(f"writer {one.writer}, entry {one.sequence}: {one.what}", err=True)
    chains = len({entry.writer for entry in written} | anchored.keys())
    if found:
        typer.echo(
            f"the log is not whole: {len(found)} findings; the table's history (DESCRIBE HISTORY) "
            "says who wrote to it when",
            err=True,
        )
        raise typer.Exit(1)
    typer.echo(
        f"whole: {len(written)} entries of {chains} writers, heads in {settings.audit_heads}"
    )


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004  a line of a table
