"""Write docs/api.md from the models: `python -m pipeline.operations.api_page`."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import groupby
from pathlib import Path

from pipeline.core.api.catalogue import Entry, Field, common_fields, endpoints, events
from pipeline.core.api.differences import DIFFERENCES, RULES
from pipeline.core.api.limits import DEFAULT_LIMITS

PAGE = Path("docs/api.md")

INTRODUCTION = """\
# What the API can be told

The calls and events of the Customer.io Data Pipelines API, as the models in `pipeline.core.api`
have them. This page is written by `python -m pipeline.operations.api_page`; a test fails when it
is not current.

`pipeline check --messages FILE.ndjson` tells for each line whether the API would take it, and if
not, which field is wrong and why. With `--json` it prints one object a line:

```json
{"line": 1, "ok": false, "problems": [{"stage": "validate", "field": "userId", "reason": "..."}]}
```

The stage is `decode` (no JSON object), `validate` (no call of the API) or `size` (over a limit in
bytes).

The methods in the tables are those of the typed client: [client.md](client.md).
"""


def page() -> str:
    """The whole page."""
    return "\n".join((INTRODUCTION, *limits(), *calls(), *common(), *vocabularies(), *deliberate()))


def limits() -> Iterator[str]:
    """The limits and their defaults."""
    yield "## Limits\n\nEach is a setting; bytes are UTF-8.\n"
    rows = [
        (f"`{field.name}`", f"{getattr(DEFAULT_LIMITS, field.name):,}")
        for field in fields(DEFAULT_LIMITS)
    ]
    yield from table(("limit", "default"), rows)


def calls() -> Iterator[str]:
    """The endpoints, each with what is its own."""
    yield "## Endpoints\n"
    yield "Each takes the common fields below, too; a batch has those of its calls in them.\n"
    yield from entries("endpoint", endpoints())


def common() -> Iterator[str]:
    """The fields that all calls have."""
    yield "## Common fields\n"
    yield (
        "All are optional, but a call needs a `userId` or an `anonymousId`. A group call needs"
        " neither, an event may have a `groupId` instead, and an alias has no `anonymousId`.\n"
    )
    rows = [(f"`{field.path}`", kind(field)) for field in common_fields()]
    yield from table(("field", "type"), rows)


def vocabularies() -> Iterator[str]:
    """The documented events, one table a vocabulary."""
    yield "## Events\n"
    yield (
        "A track call may have any event name. These are documented: their properties have these"
        " types, and take others beside them. A required one is so wherever its parent is there.\n"
    )
    for name, group in groupby(events(), lambda entry: entry.vocabulary):
        listed = list(group)
        yield f"### {name}\n\n<{listed[0].page}>\n"
        yield f"The models are in `{listed[0].module}`.\n"
        yield from entries("event", listed)


def deliberate() -> Iterator[str]:
    """Where the models differ from the specification."""
    yield "## Differences from the specification\n\nDeliberate, each with its reason.\n"
    rows = [(each.subject, f"`{each.field}`", each.what, each.reason) for each in DIFFERENCES]
    yield from table(("where", "field", "in the models", "why"), rows)
    yield RULES.rstrip()
    yield ""


def entries(what: str, listed: Sequence[Entry]) -> Iterator[str]:
    """Endpoints or events with their method and their own fields."""
    rows = [
        (
            f"`{entry.name}`",
            entry.about,
            f"`{sends(entry)}`",
            names(field for field in entry.own if field.required),
            names(field for field in entry.own if not field.required),
        )
        for entry in listed
    ]
    yield from table((what, "says", "method", "required", "optional"), rows)


def sends(entry: Entry) -> str:
    """How the client sends it: a method of its own, or `track` with the event's model."""
    if entry.vocabulary and entry.method == "track":
        return f"track(user_id, {entry.model}, {{...}})"
    return f"{entry.method}(...)"


def names(listed: Iterator[Field]) -> str:
    """Fields in one cell, without what can have one value only: the model brings it."""
    cell = ", ".join(f"`{field.path}` {kind(field)}" for field in listed if len(field.values) != 1)
    return cell or "none"


def kind(field: Field) -> str:
    """The type of a field in words."""
    if field.values:
        return " or ".join(f'"{value}"' for value in field.values)
    return field.kind


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown."""
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def main() -> int:
    """Write the page into the working directory's docs."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE} written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
