"""The runbook: a section for each alert and each hold, and commands that exist."""

import re
from pathlib import Path

import pytest
import typer

from pipeline.cli import app
from pipeline.core.alarm import ALERTS, anchor
from pipeline.streams import recheck, waiting

PAGE = Path("docs/runbook.md").read_text(encoding="utf-8")
SECTIONS = {
    part.partition("\n")[0].strip(): part for part in re.split(r"^### ", PAGE, flags=re.MULTILINE)
}
SOURCES = "\n".join(
    file.read_text(encoding="utf-8") for file in sorted(Path("src/pipeline").rglob("*.py"))
)
COMMANDS = typer.main.get_command(app)


def alerts():
    """Every name that code gives an alert, and every reason that a feed holds for."""
    named = set(re.findall(r'alert="([a-z_.]+)"', SOURCES)) | set(ALERTS)
    reasons = {"http_401", "http_403", "circuit_open", "dead_share", "refused_share"}
    reasons |= {waiting.DELETE_GUARD, waiting.MAPPING, waiting.QUEUE_DEPTH}
    reasons |= {recheck.SCHEMA, recheck.RECREATED}
    return sorted((named - {"hold"}) | {f"hold.{reason}" for reason in reasons})


@pytest.mark.parametrize("name", alerts())
def test_each_alert_and_hold_has_its_section(name):
    """A link that leads nowhere costs the minutes in which it matters."""
    section = SECTIONS.get(name)
    assert section is not None, f"docs/runbook.md has no section {name}"
    for part in ("**Means**", "**See**", "**Do**", "**Don't**"):
        assert part in section
    assert f"### {name}" in PAGE
    assert anchor(name)


def test_no_section_is_of_an_alert_that_does_not_exist():
    """A section that nothing leads to was forgotten when its alert was renamed."""
    assert set(SECTIONS) - {"# Runbook"} == set(alerts())


@pytest.mark.parametrize("line", sorted(set(re.findall(r"`(pipeline [a-z][^`]*)`", PAGE))))
def test_each_command_exists_with_its_options(line):
    """A command that is refused at night is worse than none."""
    words = line.split()[1:]
    command = COMMANDS
    while words and hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    options = {name for parameter in command.params for name in parameter.opts}
    for word in words:
        if word.startswith("--"):
            assert word in options, f"{line}: no option {word}"
