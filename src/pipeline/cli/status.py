"""How things stand, on one screen."""

import contextlib
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from pipeline.cli.options import LOCAL, AsJson, Conf
from pipeline.settings import load_settings

app = typer.Typer()


@app.command()
def status(
    conf: Conf = LOCAL,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,  # noqa: FBT002
    every: Annotated[float, typer.Option(min=1, help="With --watch: seconds between looks.")] = 10,
    as_json: AsJson = False,  # noqa: FBT002  typer's way to a flag
) -> None:
    """Feeds, lag, queue, holds, circuits, last errors, alerts, books: exit status 1 if unwell."""
    from pipeline.cli.messages import print_json  # noqa: PLC0415
    from pipeline.cli.status_screen import draw, troubles  # noqa: PLC0415
    from pipeline.operations import status as operation  # noqa: PLC0415  Spark is slow
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings = load_settings(conf)
    spark = active_session()
    found = operation.status(spark, settings)
    if as_json:
        print_json({**operation.as_json(found), "troubles": troubles(found)})
    elif not watch:
        Console().print(draw(found))
    else:
        with contextlib.suppress(KeyboardInterrupt), Live(draw(found), screen=True) as live:
            while True:
                time.sleep(every)
                found = operation.status(spark, settings)
                live.update(draw(found))
    raise typer.Exit(1 if troubles(found) else 0)
