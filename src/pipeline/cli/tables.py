"""The pipeline's own tables."""

from typing import Annotated

import typer

from pipeline.cli.options import LOCAL, Conf
from pipeline.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="The pipeline's own tables.")


@app.command("create")
def tables_create(conf: Conf = LOCAL) -> None:
    """Make the tables that are missing, and the views; can be run again."""
    from pipeline.tables.layout import create_tables, layout  # noqa: PLC0415  Spark is slow
    from pipeline.tables.session import active_session  # noqa: PLC0415
    from pipeline.tables.views import create_views  # noqa: PLC0415

    settings = load_settings(conf)
    spark, where = active_session(), layout(settings)
    made = (*create_tables(spark, where), *create_views(spark, where))
    typer.echo(f"made: {', '.join(made) or 'nothing, all tables are there'}")


@app.command("migrate")
def tables_migrate(
    conf: Conf = LOCAL,
    stopped: Annotated[  # noqa: FBT002  typer's way to a flag
        bool, typer.Option("--stopped", help="No job runs, whatever the leases say.")
    ] = False,
) -> None:
    """Make what is missing and bring older tables to this version; can be run again."""
    from pipeline.tables.layout import layout  # noqa: PLC0415  Spark is slow
    from pipeline.tables.migrate import migrate  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415
    from pipeline.tables.views import create_views  # noqa: PLC0415

    settings = load_settings(conf)
    spark, where = active_session(), layout(settings)
    taken = migrate(spark, where, stopped=stopped)
    if views := create_views(spark, where):
        typer.echo(f"{len(views)} views made anew")
    for step in taken:
        typer.echo(f"{step.table}: {step.what}")
    typer.echo(f"{len(taken)} steps taken" if taken else "all tables are as they should be")
