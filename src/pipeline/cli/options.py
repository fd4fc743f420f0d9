"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

Conf = Annotated[Path, typer.Option("--conf", help="Settings file of the target.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LOCAL = Path("conf/local.yml")
