"""Where the models differ from the specification on purpose, and why.

A test holds the models against the specification's files: what differs and is not listed here
fails it, and so does what is listed and does not differ.
"""

from dataclasses import dataclass
from typing import Final, Literal

What = Literal["only in the models", "only in the specification", "required", "any, not boolean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One deliberate difference. A star at the end of a name stands for any rest."""

    subject: str
    """The endpoint or the event; `events` for the list of their names."""
    field: str
    what: What
    """How the models have it."""
    reason: str

    def covers(self, subject: str, field: str, what: str) -> bool:
        """Whether this explains what was found."""
        return matches(self.subject, subject) and matches(self.field, field) and self.what == what


def matches(pattern: str, name: str) -> bool:
    """Whether *name* is *pattern*, or begins like one that ends in a star."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


SERVER = "Read-only: Customer.io sets it. A call that brings it is refused."
ONE_CONTEXT = (
    "The specification has a context for web and one for mobile. Both are open objects, so either"
    " takes the other's parts; one model has them all."
)
CLIENT = "The official Python client sends it at the top of the call."
ALIAS = (
    "The path names the ids alone; the specification's `alias_all` adds the common fields, and the"
    " official client sends them."
)
CAPITALS = "The list writes `Video Playback interrupted`; the schema's title is the usual spelling."

DIFFERENCES: Final[tuple[Difference, ...]] = (
    Difference(subject="*", field="receivedAt", what="only in the specification", reason=SERVER),
    Difference(subject="*", field="version", what="only in the specification", reason=SERVER),
    Difference(
        subject="identify",
        field="traits.unsubscribed",
        what="any, not boolean",
        reason='The description takes "true" in any spelling, 1, "1", and any other value as no.',
    ),
    *(
        Difference(
            subject="page", field=f"context.{part}*", what="only in the models", reason=ONE_CONTEXT
        )
        for part in ("app", "device", "network", "os")
    ),
    *(
        Difference(
            subject="screen",
            field=f"context.{part}*",
            what="only in the models",
            reason=ONE_CONTEXT,
        )
        for part in ("campaign", "page")
    ),
    Difference(subject="page", field="category", what="only in the models", reason=CLIENT),
    Difference(subject="screen", field="category", what="only in the models", reason=CLIENT),
    *(
        Difference(subject="alias", field=field, what="only in the models", reason=ALIAS)
        for field in (
            *("messageId", "timestamp", "originalTimestamp", "sentAt"),
            *("context*", "integrations"),
        )
    ),
    Difference(
        subject="group",
        field="groupId",
        what="required",
        reason="The batch's schema requires it, and a group call without one says nothing.",
    ),
    Difference(
        subject="batch",
        field="batch[]",
        what="required",
        reason="A batch without calls says nothing: at least one is required.",
    ),
    Difference(subject="batch", field="sentAt", what="only in the models", reason=CLIENT),
    Difference(
        subject="Email *",
        field="properties",
        what="required",
        reason="`email_id` is required in them, so they can't be left out.",
    ),
    Difference(
        subject="Object Deleted",
        field="properties.objectId",
        what="required",
        reason="The description says that it must be there; without it nothing can be deleted.",
    ),
    Difference(
        subject="Report Content Event",
        field="properties.activityType",
        what="only in the models",
        reason="The schema requires `activityType` and defines `actionType`: one of them will do.",
    ),
    Difference(
        subject="events",
        field="Group Deleted",
        what="only in the specification",
        reason="Listed once, without a schema; `Object Deleted` is the event that has one.",
    ),
    Difference(
        subject="events",
        field="Report Content Event",
        what="only in the models",
        reason="It has a schema, and is missing in the list.",
    ),
    Difference(
        subject="events",
        field="Video Quality Updated",
        what="only in the models",
        reason="It has a schema, and is missing in the list.",
    ),
    Difference(
        subject="events",
        field="Video Playback interrupted",
        what="only in the specification",
        reason=CAPITALS,
    ),
    Difference(
        subject="events",
        field="Video Playback Interrupted",
        what="only in the models",
        reason=CAPITALS,
    ),
)

RULES: Final = """\
- An id that is empty or blank is refused. The specification takes an empty `userId` with an e-mail
  address in the traits "in some cases"; which cases is not said.
- Null in an optional field is accepted and kept. At the top of a call the official client sends it
  for what is absent; in traits it removes an attribute.
- A field at the top of a call that is not documented is refused. Traits, properties, the context
  and all objects within them are open.
- Two schema titles name events otherwise than the list of events does (`Payment Info Updated`,
  `Wishlisted Item Added to Cart`): the names in the list are used.
- A timestamp needs its zone, and numbers must be finite.
- A whole number may be written as `2.0`.
"""
"""Differences that are no matter of a single field."""
