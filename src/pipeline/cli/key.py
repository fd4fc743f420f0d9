"""The keys: made here, never shown."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.keys import DEFAULT_FILE, init_file

app = typer.Typer(no_args_is_help=True, help="The pipeline's own keys.")


@app.command("init")
def key_init(
    file: Annotated[Path, typer.Option(help="Where to, outside the repository.")] = Path(
        DEFAULT_FILE
    ),
) -> None:
    """Make the encryption and the hashing key in a file of mode 600; what is there stays."""
    path = file.expanduser()
    made = init_file(path)
    typer.echo(f"{path}: {'made ' + ' and '.join(made) if made else 'nothing to make'}")
