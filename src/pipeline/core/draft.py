"""A draft: a message before it is sealed. What `source` hands over, what a task seals."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftColumn:
    """One column of the drafts: name, Spark type, meaning."""

    name: str
    type: str
    comment: str


COLUMNS: Final = (
    DraftColumn(
        name="digest",
        type="binary",
        comment="16 bytes of SHA-256 over feed, table id, row key, version, operation, ordinal, "
        "call number: what the message id is made of",
    ),
    DraftColumn(name="source_version", type="bigint", comment="Commit version of the source table"),
    DraftColumn(name="committed_at", type="timestamp", comment="When that version was committed"),
    DraftColumn(
        name="call_number", type="int", comment="Which of its change's calls it is, from 0"
    ),
    DraftColumn(
        name="entity",
        type="string",
        comment="person:<id> or object:<type>:<id>; null where it can't be told",
    ),
    DraftColumn(
        name="call_type", type="string", comment="identify, track, page, screen, group or alias"
    ),
    DraftColumn(name="event", type="string", comment="Name of the event, for track calls"),
    DraftColumn(
        name="body",
        type="string",
        comment="The call as compact JSON that starts with NO_ID and ends with a comma; of stage "
        'map: {"row":{...}},; null where it was skipped',
    ),
    DraftColumn(name="kind", type="string", comment="Null: to be sent; skipped; dead"),
    DraftColumn(name="stage", type="string", comment="Dead: map or validate"),
    DraftColumn(
        name="reason",
        type="string",
        comment="Skipped: nothing, filtered, no_consent, condition, unchanged. Dead: a short code",
    ),
    DraftColumn(
        name="detail", type="string", comment="Field of the call; never a value of the row"
    ),
)
"""The columns in their order; a frozen contract between `source` and what seals."""

ENVELOPE: Final = DraftColumn(
    name="envelope",
    type="string",
    comment="JSON object of the call's own context and integrations; null: the feed's",
)
"""One column more, after the others, for feeds whose calls may have an envelope of their own."""

NAMES: Final = tuple(column.name for column in COLUMNS)
DDL: Final = ", ".join(f"{column.name} {column.type}" for column in COLUMNS)

ZEROS: Final = "0" * 26
"""Stands where the message's id will be."""
NO_ID: Final = f'{{"messageId":"{ZEROS}",'
"""How a body starts; the id is written over the zeros when the message is sealed."""

NO_CONSENT: Final = "no_consent"
"""Reason of what is skipped because the feed's `consent` is not true of it."""
