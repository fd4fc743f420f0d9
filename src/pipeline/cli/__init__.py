"""The command line: `pipeline COMMAND --conf conf/<target>.yml`; a module a group of commands.

A module imports Spark, and what else is slow, inside its commands: `--help` answers at once.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import typer

from pipeline.cli import (
    audit,
    check,
    commands,
    dashboard,
    doctor,
    erase,
    feed,
    hold,
    jobs,
    key,
    maintain,
    piles,
    reconcile,
    replay,
    rotate,
    sandbox,
    spool,
    status,
    tables,
)
from pipeline.core.feed_model import FeedError
from pipeline.keys import KeysError
from pipeline.operations.choice import MessageError
from pipeline.operations.dashboard.read import DashboardError
from pipeline.settings import ENV_PREFIX, SettingsError, override
from pipeline.tables.refusal import TablesError
from pipeline.watch.export import ExportError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="Delta change feeds to Customer.io.",
)
GIVEN = re.compile(r"(--[a-z][a-z-]*)=(true|false|)")
GROUPS = (
    jobs,
    status,
    reconcile,
    replay,
    check,
    commands,
    dashboard,
    doctor,
    erase,
    maintain,
    sandbox,
)
for module in GROUPS:
    app.add_typer(module.app)
app.add_typer(tables.app, name="tables")
key.app.add_typer(rotate.app)
app.add_typer(key.app, name="key")
app.add_typer(feed.app, name="feed")
app.add_typer(hold.app, name="hold")
app.add_typer(spool.app, name="spool")
app.add_typer(audit.app, name="audit")
app.add_typer(piles.queue, name="queue")
app.add_typer(piles.dead, name="dead")


@app.callback()
def root(
    changed: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Overrides a setting, as in --set delivery.lanes=4; several with commas between, "
            "or repeated. Give it before the command.",
        ),
    ] = None,
) -> None:
    """Delta change feeds to Customer.io."""
    for text in changed or ():
        os.environ.update(override(text))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; refusals are printed in one piece, without a traceback.

    Returns where all went well, instead of exiting with 0: a Databricks task takes any exit for a
    failure.
    """
    before = dict(os.environ)
    try:
        app(list(_given(sys.argv[1:] if arguments is None else arguments)))
    except SystemExit as end:
        if end.code:
            raise
    except (
        SettingsError,
        KeysError,
        FeedError,
        TablesError,
        MessageError,
        DashboardError,
        ExportError,
    ) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    finally:
        _forget_set(before)


def _forget_set(before: Mapping[str, str]) -> None:
    """Undo `--set`: it is for one command, and a notebook runs many in one process."""
    for name in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
        if name in before:
            os.environ[name] = before[name]
        else:
            del os.environ[name]


def _given(words: Sequence[str]) -> Iterator[str]:
    """The words without options that a job leaves empty: a job gives each of its parameters.

    `--reason=` and `--stale=false` are not given; `--stale=true` is `--stale`.
    """
    for word in words:
        found = GIVEN.fullmatch(word)
        if found is None:
            yield word
        elif found[2] == "true":
            yield found[1]
