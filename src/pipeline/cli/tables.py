"""The pipeline's own tables."""

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
