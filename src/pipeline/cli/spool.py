"""Calls that the typed client keeps in a folder while the API can't be reached."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from pipeline import log
from pipeline.cli.options import LOCAL, AsJson, Conf
from pipeline.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from pipeline.client import Result
    from pipeline.client.spool import SpoolFile

FLUSH: Final = "spool flush"
ON_DATABRICKS: Final = "DATABRICKS_RUNTIME_VERSION"

app = typer.Typer(no_args_is_help=True, help="Calls that the client keeps while the API is away.")

Folder = Annotated[
    Path | None, typer.Option(help="The spool's folder; default: client.spool of the settings.")
]


@app.command("list")
def spool_list(
    conf: Conf = LOCAL,
    folder: Folder = None,
    as_json: AsJson = False,  # noqa: FBT002  typer's way to a flag
) -> None:
    """What is in the spool, oldest first: a file a request. Needs no key."""
    from pipeline.client.spool import listed  # noqa: PLC0415  pydantic models are slow to build

    where = _folder(load_settings(conf), conf, folder)
    with _refusals():
        found = listed(where)
    if as_json:
        sys.stdout.write(json.dumps([_as_object(file) for file in found], indent=2) + "\n")
    else:
        _print(where, found)


@app.command("flush")
def spool_flush(conf: Conf = LOCAL, folder: Folder = None) -> None:
    """Send what is in the spool, in order; exit status 1 when not all of it was accepted."""
    log.set_up()
    settings = load_settings(conf)
    where = _folder(settings, conf, folder)
    _audit(settings)
    with _refusals():
        result = asyncio.run(_flush(settings, where))
    typer.echo(repr(result))
    if result.spooled:
        typer.echo(f"  {where} keeps what is spooled: run this again when the cause is gone")
    if result.refused:
        typer.echo(
            f"  {where} keeps what was refused (*.refused) and what failed too often (*.dead):"
            " nothing sends it again"
        )
    raise typer.Exit(0 if result.ok else 1)


def _audit(settings: Settings) -> None:
    """Note the use of the key, where the target's audit log is at hand: most laptops have no Spark.

    Looked for without Spark, which takes longer to start than all the rest.
    """
    from pipeline.keys import fingerprint, load_keys  # noqa: PLC0415

    secrets = load_keys(settings.keys)
    root = settings.tables.root
    there = (Path(root) / "audit_log").is_dir() if root else ON_DATABRICKS in os.environ
    if not there:
        log.logger().info("key.used", command=FLUSH, api_key=fingerprint(secrets.api_key))
        return
    from pipeline.tables.audit_use import audit_use  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.session import active_session  # noqa: PLC0415

    audit_use(active_session(), settings, secrets, FLUSH)


async def _flush(settings: Settings, folder: Path) -> "Result":
    from pipeline.client import CustomerIO  # noqa: PLC0415  pydantic models are slow to build

    async with CustomerIO.from_settings(settings, spool=folder) as cio:
        return await cio.flush()


@contextmanager
def _refusals() -> Iterator[None]:
    """Says here what `cli.main` says of others: to know this one it would import all models."""
    from pipeline.client import SpoolError  # noqa: PLC0415

    try:
        yield
    except SpoolError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None


def _folder(settings: Settings, conf: Path, folder: Path | None) -> Path:
    if folder is not None:
        return folder.expanduser()
    if settings.client.spool is None:
        raise SettingsError(
            f"{conf}: client.spool: names no folder; set it, or name the folder with --folder"
        )
    return Path(settings.client.spool).expanduser()


def _as_object(file: "SpoolFile") -> dict[str, object]:
    return {
        "file": file.path.name,
        "state": file.state,
        "calls": file.calls,
        "written_at": file.written_at,
        "key_id": file.key_id,
        "attempts": file.attempts,
        "reason": file.reason,
    }


def _print(where: Path, found: "list[SpoolFile]") -> None:
    console = Console()
    if not found:
        console.print(f"{where}: nothing waits", highlight=False)
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("file", no_wrap=True)
    table.add_column("state")
    table.add_column("calls", justify="right")
    table.add_column("written at (UTC)", no_wrap=True)
    table.add_column("key", no_wrap=True)
    table.add_column("failed", no_wrap=True)
    for file in found:
        written = file.written_at[: len("2026-01-31T08:30")].replace("T", " ")
        failed = f"{file.attempts} x {file.reason}" if file.attempts else ""
        calls = f"{file.calls:,}"
        table.add_row(file.path.name, file.state, calls, written, file.key_id, failed)
    console.print(table)
    waiting = sum(file.calls for file in found if file.state == "waiting")
    console.print(f"{where}: {waiting:,} calls wait", highlight=False)
