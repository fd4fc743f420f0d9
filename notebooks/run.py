"""Run the demo notebooks from top to bottom, and keep them with their outputs in build/notebooks.

    python notebooks/run.py            # all of them
    python notebooks/run.py 03 12      # those whose names begin so

Each notebook asserts what it claims; a cell that fails ends its notebook, and the exit status is 1.
So it is where an output holds what would annoy its reader, such as a warning of Python.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "notebooks" / "demo"
RESULT = ROOT / "build" / "notebooks"
CELL_SECONDS = 400
NOISE = re.compile(r"\b\w*Warning: |^Traceback |\"level\": \"", re.MULTILINE)
"""What no reader should see: warnings of Python, a traceback, a line of the log as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of a notebook."""

    name: str
    seconds: float
    trouble: str | None


def run(path: Path, result: Path) -> Run:
    """Run one notebook, in a kernel of its own; its outputs stay also where it fails."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        coalesce_streams=True,  # two prints are two lines, not two blocks
        kernel_name="python3",
        resources={"metadata": {"path": str(ROOT)}},
    )
    began, trouble = time.monotonic(), None
    result.mkdir(parents=True, exist_ok=True)
    with (result / path.stem).with_suffix(".log").open("w", encoding="utf-8") as log:
        try:
            client.execute(stderr=log)  # what Java says at its start
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            trouble = str(error)
    trouble = trouble or noise(notebook)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times would differ from run to run
    nbformat.write(notebook, result / path.name)
    return Run(name=path.stem, seconds=time.monotonic() - began, trouble=trouble)


def noise(notebook: nbformat.NotebookNode) -> str | None:
    """What somebody would stumble over in the outputs; nothing where they are clean."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            said = output.get("text", "") or output.get("data", {}).get("text/plain", "")
            if output.get("name") == "stderr" or NOISE.search(said):
                return f"noise below the cell that begins {cell.source[:60]!r}:\n{said[:1000]}"
    return None


def chosen(source: Path, names: Sequence[str]) -> list[Path]:
    """The notebooks whose names begin so; all where none is named."""
    found = sorted(source.glob("*.ipynb"))
    return [path for path in found if not names or path.stem.startswith(tuple(names))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen ones, the long ones first; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", help="beginnings of names, such as 03; default: all")
    parser.add_argument("--source", type=Path, default=SOURCE)
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    given = parser.parse_args(arguments)
    paths = chosen(given.source, given.names)
    if not paths:
        parser.error(f"{given.source}: no notebook is named like that")
    failed = 0
    with ThreadPoolExecutor(max_workers=given.jobs) as pool:
        # Those with Spark have the highest numbers and take longest.
        for one in pool.map(lambda path: run(path, given.result), reversed(paths)):
            failed += one.trouble is not None
            print(
                f"{'ok    ' if one.trouble is None else 'FAILED'} {one.seconds:5.1f} s {one.name}"
            )
            if one.trouble is not None:
                print(one.trouble)
    print(f"{len(paths) - failed} of {len(paths)} ran from top to bottom; see {given.result}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
