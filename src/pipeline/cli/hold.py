"""Feeds that wait for somebody."""

import getpass
from typing import Annotated
from uuid import uuid4

import typer

from pipeline.cli.options import LOCAL, Conf
from pipeline.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Feeds that wait for somebody.")


@app.command("release")
def hold_release(
    feed: Annotated[str, typer.Option(help="Feed that holds.")],
    version: Annotated[int, typer.Option(help="Up to which source version; the log names it.")],
    conf: Conf = LOCAL,
) -> None:
    """Let a feed go on that holds for its deletes or its share of dead letters."""
    from pipeline.tables import commands  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.layout import layout  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings = load_settings(conf)
    commands.wish(
        active_session(),
        layout(settings),
        str(uuid4()),
        "release",
        requested_by=getpass.getuser(),
        feed=feed,
        source_version=version,
    )
    typer.echo(f"feed {feed} goes on, up to source version {version}")
