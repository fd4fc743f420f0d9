"""`python -m pipeline.demo`: the main job, end to end, on real data."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from pipeline.core.feed import FeedError
from pipeline.demo.children import ChildError
from pipeline.demo.folder import FolderError
from pipeline.demo.load import DataMissingError
from pipeline.demo.script import TooSlowError
from pipeline.demo.show import Show, run
from pipeline.demo.verdict import ReconcileError
from pipeline.keys import KeysError
from pipeline.settings import SettingsError

SMALL: Final = 20_000
"""Baskets that take about two minutes on two cores."""
REFUSALS: Final = (
    ChildError,
    DataMissingError,
    FeedError,
    FolderError,
    KeysError,
    ReconcileError,
    SettingsError,
    TooSlowError,
)
PLAIN_WIDTH: Final = 110
INTERRUPTED: Final = 130


def parse(arguments: Sequence[str]) -> Show:
    """What the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.demo", description=__doc__)
    parser.add_argument(
        "--rows", type=_rows, default=SMALL, help=f"baskets: a number, small ({SMALL:,}), or all"
    )
    parser.add_argument("--folder", type=Path, default=Path("build/demo"))
    parser.add_argument("--conf", type=Path, default=Path("conf/local.yml"))
    given = parser.parse_args(arguments)
    return Show(rows=given.rows, folder=given.folder, conf=given.conf)


def _rows(text: str) -> int | None:
    """Baskets; none for all of them."""
    match text:
        case "all":
            return None
        case "small":
            return SMALL
        case _ if text.isdecimal() and int(text) >= 100:  # noqa: PLR2004  each scene needs some
            return int(text)
        case _:
            raise argparse.ArgumentTypeError(f"{text!r}: give all, small, or at least 100")


def main() -> int:
    """Run the show; 0 when the books close and the sandbox agrees, 1 otherwise."""
    show = parse(sys.argv[1:])
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        verdict = run(show, console)
    except KeyboardInterrupt:
        console.print("stopped; all processes of the demo have ended")
        return INTERRUPTED
    except REFUSALS as error:
        console.print(f"the demo stopped: {error}", style="red", soft_wrap=True, markup=False)
        return 1
    return 1 if verdict.disagreements else 0


def _interrupt(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
