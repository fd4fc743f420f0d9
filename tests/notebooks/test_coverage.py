"""Each call of the client and each command is shown in a notebook: this counts."""

import re
from pathlib import Path

import nbformat
import pytest
import typer

from pipeline.cli import app
from pipeline.client import CustomerIO, SyncCustomerIO

DEMO = Path(__file__).parents[2] / "notebooks" / "demo"
CODE = "\n".join(
    cell.source
    for path in sorted(DEMO.glob("*.ipynb"))
    for cell in nbformat.read(path, as_version=4).cells
    if cell.cell_type == "code"
)


def commands(group, prefix="pipeline"):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}"


METHODS = sorted(
    name
    for client in (CustomerIO, SyncCustomerIO)
    for name in dir(client)
    if not name.startswith("_") and callable(getattr(client, name))
)


@pytest.mark.parametrize("method", sorted(set(METHODS)))
def test_each_method_is_shown(method):
    """Somebody who looks for a call of the client would find no example of it."""
    assert re.search(rf"(\bcio|CustomerIO)\.{method}\(", CODE)


COMMANDS = set(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_command_is_shown(command):
    """Somebody who looks for a command would find no example of it."""
    words = command.removeprefix("pipeline ")
    assert re.search(rf"\bpipeline (--set \S+ )?{words}\b", CODE)
