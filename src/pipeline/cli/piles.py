"""`pipeline queue` and `pipeline dead`: the same commands over two piles of messages."""

from collections.abc import Mapping
from typing import Annotated, Final

import typer

from pipeline.cli import filters
from pipeline.cli.options import LOCAL, AsJson, Conf
from pipeline.operations.choice import Pile
from pipeline.settings import load_settings

_STALE: Final = "Also where a later change of the person was accepted."
_DISCARD: Final = "Never send these: they end as cancelled, with who asked for it."


def _pile(pile: Pile, says: str, verbs: Mapping[str, str]) -> typer.Typer:
    """The commands over one pile: list, show, and what may be asked for."""
    app = typer.Typer(no_args_is_help=True, help=says)

    @app.command("list")
    def list_(
        feed: filters.Feed = None,
        reason: filters.Reason = None,
        entity: filters.Entity = None,
        entity_hash: filters.EntityHash = None,
        older_than: filters.OlderThan = None,
        newer_than: filters.NewerThan = None,
        limit: filters.Limit = None,
        conf: Conf = LOCAL,
        as_json: AsJson = False,  # noqa: FBT002  typer's way to a flag
    ) -> None:
        """How many there are, by feed and reason, and the oldest ones."""
        from pipeline.cli.messages import list_messages  # noqa: PLC0415  Spark is slow

        settings = load_settings(conf)
        wanted = filters.chosen(
            settings,
            feed=feed,
            reason=reason,
            entity=entity,
            hash_=entity_hash,
            older_than=older_than,
            newer_than=newer_than,
        )
        list_messages(settings, pile, wanted, limit, as_json=as_json)

    @app.command("show")
    def show(
        message_id: Annotated[str, typer.Argument(help="Id of the message.")],
        payload: filters.Payload = False,  # noqa: FBT002  typer's way to a flag
        conf: Conf = LOCAL,
        as_json: AsJson = False,  # noqa: FBT002
    ) -> None:
        """All that is known of one message: its outcomes, the last request, who asked for what."""
        from pipeline.cli.messages import show_message  # noqa: PLC0415

        show_message(load_settings(conf), message_id, with_payload=payload, as_json=as_json)

    for verb, does in verbs.items():
        _add(app, pile, verb, does)
    return app


def _add(app: typer.Typer, pile: Pile, verb: str, does: str) -> None:
    """One verb: it appends to the commands table, and drain applies it."""
    replays = verb == "replay"
    stale_option = typer.Option("--stale", help=_STALE, hidden=not replays)

    @app.command(verb, help=does)
    def _ask(
        message_ids: filters.MessageIds = None,
        feed: filters.Feed = None,
        reason: filters.Reason = None,
        entity: filters.Entity = None,
        entity_hash: filters.EntityHash = None,
        older_than: filters.OlderThan = None,
        newer_than: filters.NewerThan = None,
        limit: filters.Limit = None,
        every: filters.All = False,  # noqa: FBT002
        stale: Annotated[bool, stale_option] = False,  # noqa: FBT002
        dry_run: filters.DryRun = False,  # noqa: FBT002
        yes: filters.Yes = False,  # noqa: FBT002
        conf: Conf = LOCAL,
    ) -> None:
        from pipeline.cli.messages import ask_for  # noqa: PLC0415

        if stale and not replays:
            raise typer.BadParameter(f"--stale is for replay, not for {verb}")
        settings = load_settings(conf)
        wanted = filters.chosen(
            settings,
            feed=feed,
            reason=reason,
            entity=entity,
            hash_=entity_hash,
            older_than=older_than,
            newer_than=newer_than,
            message_ids=message_ids,
        )
        ask_for(
            conf,
            settings,
            pile,
            verb,
            wanted,
            limit=limit,
            every=every,
            dry_run=dry_run,
            yes=yes,
            argument={"stale": True} if stale else None,
        )


queue = _pile(
    "queue",
    "Messages that wait in the retry queue.",
    {"retry": "Send messages that wait at once, not when they are due.", "discard": _DISCARD},
)
dead = _pile(
    "dead",
    "Dead letters: not sent again unless somebody says so.",
    {
        "replay": "Queue dead letters again, with their old ids; see first that the cause is gone.",
        "discard": _DISCARD,
    },
)
