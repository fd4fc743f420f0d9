"""The command line: `pipeline COMMAND --conf conf/<target>.yml`."""

import contextlib
import getpass
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from uuid import uuid4

import typer
from rich.console import Console
from rich.table import Table

from pipeline import log
from pipeline.core.feed_model import FeedError
from pipeline.keys import DEFAULT_FILE, KeysError, init_file
from pipeline.settings import SettingsError, load_settings
from pipeline.tables.refusal import TablesError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="Delta change feeds to Customer.io.",
)
tables_app = typer.Typer(no_args_is_help=True, help="The pipeline's own tables.")
key_app = typer.Typer(no_args_is_help=True, help="The pipeline's own keys.")
hold_app = typer.Typer(no_args_is_help=True, help="Feeds that wait for somebody.")
app.add_typer(tables_app, name="tables")
app.add_typer(key_app, name="key")
app.add_typer(hold_app, name="hold")

Conf = Annotated[Path, typer.Option("--conf", help="Settings file of the target.")]
AvailableNow = Annotated[
    bool, typer.Option("--available-now", help="Do what is there and stop; 3 when a hold outlasts.")
]
LOCAL = Path("conf/local.yml")


@app.command()
def deliver(
    conf: Conf = LOCAL,
    available_now: AvailableNow = False,  # noqa: FBT002  typer's way to a flag
    feed: Annotated[list[str] | None, typer.Option(help="Only this feed; may be repeated.")] = None,
) -> None:
    """Send what the feeds' source tables change."""
    from pipeline.streams.run import run_deliver  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.session import active_session  # noqa: PLC0415

    log.set_up()
    settings = load_settings(conf)
    raise typer.Exit(
        run_deliver(active_session(), settings, feeds=feed or (), available_now=available_now)
    )


@app.command()
def drain(
    conf: Conf = LOCAL,
    available_now: AvailableNow = False,  # noqa: FBT002  typer's way to a flag
) -> None:
    """Send again what waits in the retry queue, when it is due."""
    from pipeline.streams.run import run_drain  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.session import active_session  # noqa: PLC0415

    log.set_up()
    settings = load_settings(conf)
    raise typer.Exit(run_drain(active_session(), settings, available_now=available_now))


@app.command()
def reconcile(
    conf: Conf = LOCAL,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002
) -> None:
    """Close the books: exit status 1, and what is missing, when they do not close."""
    from pipeline.operations import reconcile as operation  # noqa: PLC0415  Spark is slow
    from pipeline.source.feed_files import load_feeds  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    log.set_up()
    settings = load_settings(conf)
    feeds = load_feeds(Path(settings.sources.feeds))
    found = operation.reconcile(active_session(), settings, feeds)
    if as_json:
        sys.stdout.write(json.dumps(operation.as_json(found), indent=2) + "\n")
    else:
        _print_books(found)
    raise typer.Exit(0 if all(one.closes for one in found) else 1)


def _print_books(found: Sequence[Any]) -> None:
    console = Console()
    table = Table(title="Books: changes in the source = accepted + queued + dead + ...")
    table.add_column("feed")
    states = ("changes", "messages", "accepted", "queued", "dead", "skipped", "cancelled")
    for name in states:
        table.add_column(name, justify="right")
    table.add_column("closes")
    for one in found:
        counts = [f"{getattr(one, name):,}" for name in states]
        table.add_row(one.feed, *counts, "yes" if one.closes else "NO")
    console.print(table)
    for one in found:
        for gap in one.missing:
            console.print(
                f"{gap.feed}, source version {gap.source_version}: {gap.what}: "
                f"expected {gap.expected:,}, found {gap.found:,}"
            )


@tables_app.command("create")
def tables_create(conf: Conf = LOCAL) -> None:
    """Make the tables that are missing; can be run again."""
    from pipeline.tables.layout import create_tables, layout  # noqa: PLC0415  Spark is slow
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings = load_settings(conf)
    made = create_tables(active_session(), layout(settings))
    typer.echo(f"made: {', '.join(made) or 'nothing, all tables are there'}")


@key_app.command("init")
def key_init(
    file: Annotated[Path, typer.Option(help="Where to, outside the repository.")] = Path(
        DEFAULT_FILE
    ),
) -> None:
    """Make the encryption and the hashing key in a file of mode 600; what is there stays."""
    path = file.expanduser()
    made = init_file(path)
    typer.echo(f"{path}: {'made ' + ' and '.join(made) if made else 'nothing to make'}")


@hold_app.command("release")
def hold_release(
    feed: Annotated[str, typer.Option(help="Feed that holds.")],
    version: Annotated[int, typer.Option(help="Up to which source version; the log names it.")],
    conf: Conf = LOCAL,
) -> None:
    """Let a feed go on that holds for its deletes or its share of dead letters."""
    from pipeline.tables import commands  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.layout import layout  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings = load_settings(conf)
    commands.wish(
        active_session(),
        layout(settings),
        str(uuid4()),
        "release",
        requested_by=getpass.getuser(),
        feed=feed,
        source_version=version,
    )
    typer.echo(f"feed {feed} goes on, up to source version {version}")


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def sandbox(context: typer.Context) -> None:
    """Run a local Customer.io that enforces the real limits; `--help` lists its options."""
    from pipeline.sandbox.__main__ import main as serve  # noqa: PLC0415  slow to import

    sys.argv = ["pipeline sandbox", *context.args]
    raise typer.Exit(serve())


@app.command()
def check(
    messages: Annotated[str, typer.Option(help="File of calls, one JSON a line; - reads stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False,  # noqa: FBT002
) -> None:
    """Tell for each call whether it would be accepted; exit status 1 when any is refused."""
    from pipeline.core.api.limits import Limits  # noqa: PLC0415  pydantic models are slow to build
    from pipeline.operations.check import check_messages  # noqa: PLC0415

    with contextlib.ExitStack() as stack:
        if messages == "-":
            source: BinaryIO = sys.stdin.buffer
        else:
            try:
                source = stack.enter_context(Path(messages).open("rb"))
            except OSError as error:
                raise typer.BadParameter(f"{messages}: {error.strerror}") from error
        status = check_messages(
            source, as_json=as_json, limits=Limits(), out=sys.stdout, err=sys.stderr
        )
    raise typer.Exit(status)


def main() -> None:
    """Run the command line; refusals are printed in one piece, without a traceback."""
    try:
        app()
    except (SettingsError, KeysError, FeedError, TablesError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
