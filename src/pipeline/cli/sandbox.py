"""The local Customer.io."""

import sys

import typer

app = typer.Typer()


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def sandbox(context: typer.Context) -> None:
    """Run a local Customer.io that enforces the real limits; `--help` lists its options."""
    from pipeline.sandbox.__main__ import main as serve  # noqa: PLC0415  slow to import

    sys.argv = ["pipeline sandbox", *context.args]
    raise typer.Exit(serve())
