"""The two long-running jobs: deliver and drain."""

from typing import Annotated

import typer

from pipeline import log
from pipeline.cli.options import LOCAL, Conf
from pipeline.settings import load_settings

app = typer.Typer()
AvailableNow = Annotated[
    bool, typer.Option("--available-now", help="Do what is there and stop; 3 when a hold outlasts.")
]


@app.command()
def deliver(
    conf: Conf = LOCAL,
    available_now: AvailableNow = False,  # noqa: FBT002  typer's way to a flag
    feed: Annotated[list[str] | None, typer.Option(help="Only this feed; may be repeated.")] = None,
) -> None:
    """Send what the feeds' source tables change."""
    from pipeline.streams.run import run_deliver  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.session import active_session  # noqa: PLC0415

    log.set_up()
    settings = load_settings(conf)
    raise typer.Exit(
        run_deliver(active_session(), settings, feeds=feed or (), available_now=available_now)
    )


@app.command()
def drain(
    conf: Conf = LOCAL,
    available_now: AvailableNow = False,  # noqa: FBT002  typer's way to a flag
) -> None:
    """Send again what waits in the retry queue, when it is due."""
    from pipeline.streams.run import run_drain  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.session import active_session  # noqa: PLC0415

    log.set_up()
    settings = load_settings(conf)
    raise typer.Exit(run_drain(active_session(), settings, available_now=available_now))
