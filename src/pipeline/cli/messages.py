"""List, show and ask for messages: what `queue` and `dead` have in common."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table

from pipeline.core.age import age_text
from pipeline.operations.choice import Filter, Pile
from pipeline.settings import Settings

LISTED: Final = 20
_TITLES: Final[dict[Pile, str]] = {
    "queue": "Messages that wait in the retry queue",
    "dead": "Dead letters",
}
_ASKED: Final = {
    "retry": "are sent as soon as drain ticks",
    "discard": "will never be sent",
    "replay": "go to the end of the queue, with their old ids",
}


def list_messages(
    settings: Settings, pile: Pile, wanted: Filter, limit: int | None, *, as_json: bool
) -> None:
    """Print what matches, by feed and reason, and the oldest ones."""
    from pipeline.operations import messages  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.layout import layout  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    found = messages.find(active_session(), layout(settings), pile, wanted, limit or LISTED)
    if as_json:
        print_json(
            {"total": found.total, "groups": list(found.groups), "messages": list(found.rows)}
        )
        return
    print_found(Console(), pile, found)


def print_found(console: Console, pile: Pile, found: Any) -> None:
    """The groups, then the oldest messages."""
    if not found.total:
        console.print(f"{_TITLES[pile]}: none match.")
        return
    table = Table(title=f"{_TITLES[pile]}: {found.total:,}")
    for name in ("feed", "stage", "reason"):
        table.add_column(name)
    table.add_column("messages", justify="right")
    table.add_column("oldest", justify="right")
    for group in found.groups:
        table.add_row(
            *(group[name] or "-" for name in ("feed", "stage", "reason")),
            f"{group['messages']:,}",
            _ago(group["oldest"]),
        )
    console.print(table)
    if not found.rows:
        return
    table = Table(title=f"The oldest {len(found.rows)}" if found.total > len(found.rows) else None)
    table.add_column("message", no_wrap=True)
    for name in ("feed", "call", "reason", "detail"):
        table.add_column(name, overflow="fold")
    for name in ("version", "attempts", "age"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found.rows:
        table.add_row(
            row["message_id"],
            row["feed"],
            row["event"] or row["call_type"] or "-",
            row["reason"] or "-",
            row["detail"] or "",
            str(row["source_version"]),
            str(row["attempts"]),
            _ago(row["since"]),
        )
    console.print(table)


def show_message(settings: Settings, message_id: str, *, with_payload: bool, as_json: bool) -> None:
    """Print all that is known of one message; its payload only where it was asked for."""
    from pipeline.keys import load_keys  # noqa: PLC0415
    from pipeline.operations import messages  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.audit import audit  # noqa: PLC0415
    from pipeline.tables.layout import layout  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    keys = load_keys(settings.keys).payload_keys if with_payload else None
    spark, where = active_session(), layout(settings)
    outcomes = messages.history(spark, where, message_id)
    newest = outcomes[-1]
    request = (
        messages.request_of(spark, where, newest["request_id"]) if newest["request_id"] else None
    )
    asked = messages.commands_of(
        spark, where, [row["command_id"] for row in outcomes if row["command_id"]]
    )
    call = None
    if keys is not None:
        call = messages.payload(spark, where, message_id, keys)
        audit(spark, settings, "cli", "payload.shown", {"message_id": message_id})
    if as_json:
        known: dict[str, Any] = {"outcomes": outcomes, "request": request, "commands": asked}
        print_json(known | ({"payload": json.loads(call)} if call is not None else {}))
        return
    _print_message(Console(), outcomes, request, asked)
    if call is not None:
        sys.stdout.write(json.dumps(json.loads(call), indent=2, ensure_ascii=False) + "\n")
    elif newest["has_payload"]:
        Console().print("Its payload is kept, encrypted; --payload shows it.")


def _print_message(
    console: Console,
    outcomes: list[dict[str, Any]],
    request: dict[str, Any] | None,
    asked: list[dict[str, Any]],
) -> None:
    first = outcomes[0]
    console.print(
        f"{first['event'] or first['call_type']} of feed {first['feed']}, source version "
        f"{first['source_version']}, entity {first['entity'] or 'unknown'}"
    )
    table = Table(title="What became of it")
    table.add_column("no.", justify="right")
    for name in ("recorded", "kind", "job", "stage", "reason", "detail", "next attempt"):
        table.add_column(name)
    for row in outcomes:
        table.add_row(
            str(row["number"]),
            _time(row["recorded_at"]),
            row["kind"],
            row["job"] or "-",
            *(row[name] or "-" for name in ("stage", "reason", "detail")),
            _time(row["next_attempt_at"]),
        )
    console.print(table)
    if request is not None:
        said = f": {request['answer']}" if request["answer"] else ""
        console.print(
            f"Its last request: {request['endpoint']}, status {request['status'] or 'none'}, "
            f"{request['calls']} calls, {request['bytes']:,} bytes, "
            f"{request['duration_ms']:.0f} ms{said}"
        )
    for one in asked:
        console.print(f"{one['verb']}: asked by {one['requested_by']}, {_time(one['recorded_at'])}")


def ask_for(
    conf: Path,
    settings: Settings,
    pile: Pile,
    verb: str,
    wanted: Filter,
    *,
    limit: int | None,
    every: bool,
    dry_run: bool,
    yes: bool,
    argument: dict[str, Any] | None = None,
) -> None:
    """Ask for *verb* of what matches, after a look at it and a question."""
    from pipeline.operations import messages  # noqa: PLC0415  Spark is slow to import
    from pipeline.operations.ask import ask  # noqa: PLC0415
    from pipeline.tables.layout import layout  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    if wanted == Filter() and not every:
        raise typer.BadParameter(
            f"say which messages: ids, --feed, --reason, --entity, --older-than; or --all to {verb}"
            " every one"
        )
    spark, where = active_session(), layout(settings)
    chosen = messages.ids(spark, where, pile, wanted, limit)
    console = Console()
    if not chosen:
        console.print("No message matches; nothing was asked for.")
        raise typer.Exit(1)
    print_found(console, pile, messages.find(spark, where, pile, wanted, 0))
    if dry_run:
        console.print(f"Dry run: {verb} would be asked for {len(chosen):,} of them.")
        return
    if not yes:
        typer.confirm(f"{verb} {len(chosen):,} messages? They {_ASKED[verb]}", abort=True)
    request = ask(spark, settings, verb, chosen, argument=argument)
    console.print(
        f"Asked: {verb} of {len(chosen):,} messages, request {request}. drain carries it out at "
        f"its next tick; see\n  pipeline commands --conf {conf}",
        soft_wrap=True,
    )


def print_json(value: Any) -> None:
    """JSON with times in ISO 8601."""
    sys.stdout.write(json.dumps(value, indent=2, default=_plain, ensure_ascii=False) + "\n")


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(type(value).__name__)


def _time(at: datetime | None) -> str:
    return "-" if at is None else _utc(at).strftime("%Y-%m-%d %H:%M:%S")


def _ago(at: datetime | None) -> str:
    return age_text(None if at is None else (datetime.now(UTC) - _utc(at)).total_seconds())


def _utc(at: datetime) -> datetime:
    """Spark's Python times are naive, in the zone of this process."""
    return at.astimezone(UTC)
