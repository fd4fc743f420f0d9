"""Upkeep of the pipeline's own tables."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipeline import log
from pipeline.cli.options import LOCAL, Conf
from pipeline.settings import load_settings

app = typer.Typer()


@app.command()
def maintain(
    conf: Conf = LOCAL,
    wait: Annotated[float, typer.Option(help="Seconds for drain to do its part.", min=0)] = 30,
) -> None:
    """Remove what nobody needs any more, and its files; exit status 1 where something waits."""
    from pipeline.operations import maintain as operation  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.layout import check_tables, layout  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    log.set_up()
    settings, spark = load_settings(conf), active_session()
    check_tables(spark, layout(settings))
    done = operation.maintain(spark, settings, wait=wait)
    console = Console()
    rows = Table("table", "removed", "rows", title="Rows")
    for one in done.removed:
        rows.add_row(one.table, one.what, "put off" if one.rows is None else f"{one.rows:,}")
    files = Table("table", "before", "after", "vacuumed", title="Files")
    for table in done.cared:
        vacuumed = table.why_not or "yes"
        files.add_row(table.table, str(table.files_before), str(table.files), vacuumed)
    console.print(rows)
    console.print(files)
    raise typer.Exit(0 if done.whole else 1)
