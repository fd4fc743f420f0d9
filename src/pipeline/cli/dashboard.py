"""The dashboards, locally."""

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import LOCAL, Conf
from pipeline.settings import load_settings

app = typer.Typer()


@app.command()
def dashboard(
    conf: Conf = LOCAL,
    files: Annotated[Path, typer.Option(help="Folder of the dashboard files.")] = Path(
        "bundles/dashboards"
    ),
    once: Annotated[bool, typer.Option("--once", help="Write one page, and end.")] = False,  # noqa: FBT002
    out: Annotated[Path, typer.Option(help="With --once: where to.")] = Path("dashboard.html"),
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than loopback get a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.")] = 8898,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two readings.")] = 10,
) -> None:
    """Serve the same dashboards as on Databricks, locally; or write them to a file."""
    from pipeline.operations.dashboard.guard import loopback, new_token  # noqa: PLC0415
    from pipeline.operations.dashboard.read import read_dashboards  # noqa: PLC0415
    from pipeline.operations.dashboard.serve import Board, serve  # noqa: PLC0415  Spark is slow
    from pipeline.operations.dashboard.serve import once as one_page  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings = load_settings(conf)
    dashboards = read_dashboards(files)
    spark = active_session()
    if once:
        out.write_text(one_page(spark, settings, dashboards), encoding="utf-8")
        typer.echo(f"{out}: {len(dashboards)} dashboards")
        return
    token = None if loopback(host) else new_token()
    typer.echo(f"http://{host}:{port}/{'' if token is None else f'?token={token}'}  Ctrl-C ends it")
    if token is not None:
        typer.echo("Others can reach it: who has this address sees the page, over plain http.")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(Board(spark, settings, dashboards), host, port, every, token))
