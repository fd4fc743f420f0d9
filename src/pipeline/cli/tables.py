"""The pipeline's own tables."""

import typer

from pipeline.cli.options import LOCAL, Conf
from pipeline.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="The pipeline's own tables.")


@app.command("create")
def tables_create(conf: Conf = LOCAL) -> None:
    """Make the tables that are missing; can be run again."""
    from pipeline.tables.layout import create_tables, layout  # noqa: PLC0415  Spark is slow
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings = load_settings(conf)
    made = create_tables(active_session(), layout(settings))
    typer.echo(f"made: {', '.join(made) or 'nothing, all tables are there'}")
