"""Would Customer.io accept these calls?"""

import contextlib
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from pipeline.settings import load_settings

app = typer.Typer()


@app.command()
def check(
    messages: Annotated[str, typer.Option(help="File of calls, one JSON a line; - reads stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False,  # noqa: FBT002
    conf: Annotated[
        Path | None, typer.Option(help="Settings file with the limits; default: the published.")
    ] = None,
) -> None:
    """Tell for each call whether it would be accepted; exit status 1 when any is refused."""
    from pipeline.core.api.limits import Limits  # noqa: PLC0415  pydantic models are slow to build
    from pipeline.operations.check import check_messages  # noqa: PLC0415

    limits = Limits() if conf is None else load_settings(conf).limits
    with contextlib.ExitStack() as stack:
        if messages == "-":
            source: BinaryIO = sys.stdin.buffer
        else:
            try:
                source = stack.enter_context(Path(messages).open("rb"))
            except OSError as error:
                raise typer.BadParameter(f"{messages}: {error.strerror}") from error
        status = check_messages(
            source, as_json=as_json, limits=limits, out=sys.stdout, err=sys.stderr
        )
    raise typer.Exit(status)
