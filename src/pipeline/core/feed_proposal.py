"""Propose a feed from a table's columns: which one is whom, when, what; the rest to be read."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.core.personal import is_named_so

_IDS: Final = (
    r"(user|customer|person|member|household|client|contact|profile|account|subscriber)_?(id|key|no)",
    r"(user|customer|person|member|household|client|contact|profile|account|subscriber)",
    r"e?mail(_?address)?",
)
"""Names of whom a row is about, the surest first."""
_KEY: Final = r"(id|.*_(id|key|no|uuid|upc))"
_TIME: Final = (
    r"(event|occurred|happened)_?(at|on|time|timestamp)",
    r".*_(at|on|time|timestamp|ts)",
    r"(at|time|timestamp|ts)",
)
_UPKEEP: Final = r"(created|updated|modified|inserted|loaded|ingested)_?(at|on|time|timestamp)?"
_MOMENTS: Final = frozenset({"timestamp", "date"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table, and what a look at some rows said of it."""

    name: str
    type: str
    """As Spark writes it."""
    distinct: int | None
    """Different values, nulls not counted; none where that was not counted."""
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a documented event is told by, and how its properties are called."""

    event: str
    needs: tuple[str, ...]
    """Patterns; each is to be found among the columns."""
    renames: tuple[tuple[str, str], ...] = ()
    """Pattern of a column and the property that it is."""


MEANINGS: Final = (
    Meaning(event="Order Completed", needs=(r"(order|basket)_?id", r"(total|amount|revenue)"),
            renames=((r"(order|basket)_?id", "order_id"), (r"(total|amount)", "total"))),
    Meaning(event="Coupon Applied", needs=(r"coupon(_?(id|upc|code))?",),
            renames=((r"coupon(_?(id|upc|code))?", "coupon_id"),)),
    Meaning(event="Product Viewed", needs=(r"product_?id", r"view(ed)?_?(at|on|time)")),
    Meaning(event="Product Added", needs=(r"product_?id", r"cart_?id")),
    Meaning(event="Products Searched", needs=(r"(search_?)?query",),
            renames=((r"(search_?)?query", "query"),)),
    Meaning(event="Product Reviewed", needs=(r"product_?id", r"(review(_?id)?|rating)")),
)  # fmt: skip
"""The first whose columns are all there is proposed."""


def propose(source: str, columns: Sequence[Column], rows: int) -> str:
    """The feed's text, with a comment at each thing that was guessed."""
    who = _first(columns, _IDS) or columns[0]
    key = row_key(columns, who, rows)
    when = _when(columns)
    meaning = None if key == (who.name,) else _meaning(columns)
    lines = [
        f"# Proposed from {len(columns)} columns and {rows:,} rows of the table. Read each line;",
        "# what was guessed says so. Then: pipeline feed check, pipeline feed preview.",
        f"source: {source}",
        "# snapshot: all rows as they are now, then the changes. latest: only the changes to come.",
        f"start: {'snapshot' if meaning is None and key == (who.name,) else 'latest'}",
        *_key_lines(key, rows),
        f"# Guessed by its name: {who.name} is the id by which Customer.io knows the person.",
        f"entity: {{person: {_sql(who.name)}}}",
    ]
    if key == (who.name,):
        lines += _person(columns, who)
    else:
        lines += _event(columns, who, when, meaning, source)
    return "\n".join([*lines, ""])


def row_key(columns: Sequence[Column], who: Column, rows: int) -> tuple[str, ...]:
    """The column that is different in each row that was seen; a person's id first."""
    unique = [one for one in columns if rows and one.distinct == rows]
    named = [one for one in unique if _matches(one.name, _KEY)]
    if who in unique:
        return (who.name,)
    return (named[0].name,) if named else ()


def _key_lines(key: tuple[str, ...], rows: int) -> Iterator[str]:
    if key:
        yield f"# Guessed: it was different in each of {rows:,} rows. Is it in every row there is?"
        yield f"row_key: [{', '.join(map(_yaml, key))}]"
    else:
        yield "# No column that is named as a key was different in each row: name the columns that"
        yield "# are so together. With [] the whole row stands in, and each update is a new change."
        yield "row_key: []"


def _person(columns: Sequence[Column], who: Column) -> Iterator[str]:
    yield "# A row a person: an update sends only what differs."
    yield "changes_only: true"
    yield "insert:"
    yield "  type: identify"
    yield "  traits:"
    for one in columns:
        if one == who and not _matches(one.name, _IDS[2]):
            continue
        if one.type in _MOMENTS:
            yield "    # Customer.io keeps dates as seconds since 1970."
            cast = one.type == "date"
            text = f"CAST({_sql(one.name)} AS TIMESTAMP)" if cast else _sql(one.name)
            yield f"    {_yaml(one.name)}: unix_seconds({text})"
        else:
            yield f"    {_yaml(one.name)}: {_sql(one.name)}"
    yield "# nothing: a deleted row deletes nobody. delete_person deletes the person as well."
    yield "delete: nothing"


def _event(
    columns: Sequence[Column],
    who: Column,
    when: Column | None,
    meaning: Meaning | None,
    source: str,
) -> Iterator[str]:
    declared = [f"properties.{o.name}" for o in columns if o != who and is_named_so(o.name)]
    if when is not None:
        yield f"# Guessed by its name and type: {when.name} is when it happened."
        cast = "" if when.type == "timestamp" else f"try_cast({_sql(when.name)} AS TIMESTAMP)"
        yield f"event_time: {cast or _sql(when.name)}"
        yield f"order_by: [{_sql(when.name)}]"
    else:
        yield "# No column says when it happened, so the time of the commit is sent."
    if declared:
        yield "# Named as personal data is: leave them out below, or declare them here."
        yield f"# personal_data: [{', '.join(declared)}]"
    yield "insert:"
    yield "  type: track"
    if meaning is not None:
        yield "  # Guessed by its columns, a documented event: see docs/api.md for its properties."
        yield f"  event: {meaning.event}"
    else:
        words = re.sub(r"\W+|_", " ", source.rsplit("/", 1)[-1].rsplit(".", 1)[-1]).strip()
        yield "  # The name that campaigns will be built on: choose it with those who build them."
        yield f"  event: {json.dumps(words.capitalize() or 'Event')}"
    yield "  properties:"
    sent = [one for one in columns if one not in (who, when)] or [who]
    for one in sent:
        mark = "# " if is_named_so(one.name) and len(declared) < len(sent) else ""
        yield f"    {mark}{_yaml(_property(one.name, meaning))}: {_sql(one.name)}"
    yield "# An event happened once: a later change of its row, or its end, sends nothing."
    yield "update: nothing"
    yield "delete: nothing"


def _property(name: str, meaning: Meaning | None) -> str:
    renames = meaning.renames if meaning is not None else ()
    return next((as_ for pattern, as_ in renames if _matches(name, pattern)), name)


def _meaning(columns: Sequence[Column]) -> Meaning | None:
    return next(
        (
            one
            for one in MEANINGS
            if all(any(_matches(c.name, need) for c in columns) for need in one.needs)
        ),
        None,
    )


def _when(columns: Sequence[Column]) -> Column | None:
    """When it happened, rather than when a row was written."""
    moments = [
        one
        for one in columns
        if one.type in _MOMENTS or (one.type == "string" and _matches(one.name, _TIME[0]))
    ]
    happened = [one for one in moments if not _matches(one.name, _UPKEEP)]
    return _first(happened, _TIME) or (happened[0] if happened else None)


def _first(columns: Sequence[Column], patterns: Sequence[str]) -> Column | None:
    return next((c for pattern in patterns for c in columns if _matches(c.name, pattern)), None)


def _matches(name: str, pattern: str) -> bool:
    return re.fullmatch(pattern, name, re.IGNORECASE) is not None


def _sql(name: str) -> str:
    """A column in an expression, quoted for SQL and then for YAML where it must be."""
    if re.fullmatch(r"[A-Za-z_]\w*", name) and name.lower() not in _WORDS:
        return name
    return json.dumps("`" + name.replace("`", "``") + "`", ensure_ascii=False)


_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "order"})


def _yaml(name: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_][\w-]*", name) and name.lower() not in _WORDS
    return name if plain else json.dumps(name, ensure_ascii=False)
