"""Options that choose messages, and the filter that they come to."""

from typing import Annotated

import typer

from pipeline.core.age import parse_age
from pipeline.core.ids import ENTITY_HASH_BYTES, entity_hash
from pipeline.keys import load_keys
from pipeline.operations.choice import Filter
from pipeline.settings import Settings

Feed = Annotated[str | None, typer.Option(help="Of this feed.")]
Reason = Annotated[str | None, typer.Option(help="With this reason, as `list` shows it.")]
Entity = Annotated[
    str | None,
    typer.Option(
        help="About this person (an id), or object (object:TYPE:ID); needs the hashing key."
    ),
]
EntityHash = Annotated[str | None, typer.Option(help="The same by its keyed hash, in hex.")]
OlderThan = Annotated[str | None, typer.Option(help="There for longer than this: 15m, 2h, 3d.")]
NewerThan = Annotated[str | None, typer.Option(help="There for less than this.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most so many, the oldest first.")]
MessageIds = Annotated[list[str] | None, typer.Argument(help="Ids of messages.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be asked for, only.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask whether this is meant.")]
Payload = Annotated[
    bool, typer.Option("--payload", help="Decrypt and print the call, personal data and all.")
]
All = Annotated[bool, typer.Option("--all", help="All of them: no filter is given.")]


def chosen(
    settings: Settings,
    *,
    feed: str | None,
    reason: str | None,
    entity: str | None,
    hash_: str | None,
    older_than: str | None,
    newer_than: str | None,
    message_ids: list[str] | None = None,
) -> Filter:
    """The filter that the options come to."""
    try:
        return Filter(
            feed=feed,
            reason=reason,
            entity_hash=_hash(settings, entity, hash_),
            older_than=parse_age(older_than) if older_than else None,
            newer_than=parse_age(newer_than) if newer_than else None,
            message_ids=tuple(message_ids or ()),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def entity_hash_of(settings: Settings, entity: str | None, hash_: str | None) -> bytes | None:
    """The keyed hash of whom the options name, if they name anybody."""
    try:
        return _hash(settings, entity, hash_)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _hash(settings: Settings, entity: str | None, hash_: str | None) -> bytes | None:
    if hash_ is not None:
        found = bytes.fromhex(hash_)
        if len(found) != ENTITY_HASH_BYTES:
            raise ValueError(f"{hash_}: an entity's hash has {2 * ENTITY_HASH_BYTES} hex digits")
        return found
    if entity is None:
        return None
    text = entity if entity.startswith(("person:", "object:")) else f"person:{entity}"
    return entity_hash(text, load_keys(settings.keys).hashing_key)
