"""The rights of a person: erase, unsuppress, export."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import LOCAL, Conf
from pipeline.keys import load_keys
from pipeline.settings import Settings, load_settings

app = typer.Typer()

Who = Annotated[
    str,
    typer.Option(
        "--entity",
        help="person:<id>, object:<type>:<id>, or - to read it from standard input: a process's "
        "arguments can be seen by others on its machine.",
        prompt="Whom (person:<id> or object:<type>:<id>)",
    ),
]
Wait = Annotated[
    float, typer.Option(help="Seconds to wait for drain to do it; 0 only asks.", min=0)
]
Suppress = Annotated[
    bool, typer.Option("--suppress", help="And ignore the person for good, at Customer.io.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what is held about them, and change nothing.")
]
STILL_GOING = 3


@app.command()
def erase(
    entity: Who,
    conf: Conf = LOCAL,
    suppress: Suppress = False,  # noqa: FBT002  typer's way to a flag
    dry_run: DryRun = False,  # noqa: FBT002
    wait: Wait = 900,
) -> None:
    """Erase a person or an object: at Customer.io, and in the pipeline's own tables."""
    _carry_out(conf, entity, "suppress" if suppress else "delete", wait, dry_run=dry_run)


@app.command()
def unsuppress(entity: Who, conf: Conf = LOCAL, wait: Wait = 900) -> None:
    """Let somebody in again who was erased: lifts the mark, and tells Customer.io."""
    _carry_out(conf, entity, "unsuppress", wait, dry_run=False)


@app.command()
def export(
    entity: Who,
    conf: Conf = LOCAL,
    out: Annotated[
        Path | None, typer.Option(help="File to write, of mode 600; default: standard output.")
    ] = None,
) -> None:
    """Print all that the pipeline holds about a person or an object as JSON, payloads decrypted."""
    from pipeline.operations import export as operation  # noqa: PLC0415  Spark is slow to import

    settings, secrets, spark, whom = _begin(conf, entity)
    text = json.dumps(operation.export(spark, settings, secrets, whom), indent=2)
    if out is None:
        typer.echo(text)
        return
    out.touch(mode=0o600)
    out.chmod(0o600)
    out.write_text(text + "\n", encoding="utf-8")
    typer.echo(f"{out}: written; it holds personal data in the clear", err=True)


def _begin(conf: Path, entity: str) -> tuple[Settings, Any, Any, Any]:
    """Settings, keys, session, and the entity that was named."""
    from pipeline.core.erasure import EntityError, parse_entity  # noqa: PLC0415
    from pipeline.tables.layout import check_tables, layout  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    try:
        whom = parse_entity(sys.stdin.readline().rstrip("\n") if entity == "-" else entity)
    except EntityError as error:
        raise typer.BadParameter(str(error), param_hint="--entity") from error
    settings = load_settings(conf)
    secrets, spark = load_keys(settings.keys), active_session()
    check_tables(spark, layout(settings))
    return settings, secrets, spark, whom


def _carry_out(conf: Path, entity: str, wanted: Any, wait: float, *, dry_run: bool) -> None:
    from pipeline.core.erasure import EntityError  # noqa: PLC0415
    from pipeline.operations import erase as operation  # noqa: PLC0415  Spark is slow to import

    settings, secrets, spark, whom = _begin(conf, entity)
    held = operation.stored(spark, settings, secrets, whom)
    typer.echo(f"messages: {_counts(held.messages)}; payloads, encrypted: {held.payloads}; "
               f"{'marked as erased' if held.marked else 'not marked as erased'}")  # fmt: skip
    if dry_run:
        typer.echo("dry run: nothing was changed")
        return
    try:
        message_id = operation.ask(spark, settings, secrets, whom, wanted)
    except EntityError as error:
        raise typer.BadParameter(str(error), param_hint="--entity") from error
    typer.echo(f"asked for as message {message_id}")
    if not wait:
        return
    last = operation.wait(spark, settings, message_id, seconds=wait, say=typer.echo)
    if last == operation.DONE:
        if wanted != "unsuppress":
            typer.echo(_remains(settings))
        return
    if last == operation.REFUSED:
        raise typer.Exit(1)
    typer.echo(
        f"not done within {wait:g} s; it goes on by itself while `pipeline drain` runs", err=True
    )
    raise typer.Exit(STILL_GOING)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in counts.items()) or "none"


def _remains(settings: Settings) -> str:
    days = settings.maintenance.vacuum_after.total_seconds() / 86_400
    return (
        "What remains: ids of messages and the keyed hash, as proof; the source tables' own rows; "
        "and in older files of outcomes, retry_queue and commands the encrypted payloads, until "
        f"`pipeline maintain` removes files that are out of use for {days:g} days "
        "(maintenance.vacuum_after)."
    )
