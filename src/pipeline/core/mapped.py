"""What a feed maps: the columns that its calls' contents come from, and what an order is worth."""

from collections.abc import Mapping
from typing import Final

from sqlglot import exp

from pipeline.core.feed import Feed
from pipeline.core.feed_calls import Track
from pipeline.core.feed_sql import DIALECT, parse_expression

CONTENTS: Final = (".traits.", ".properties.")
ORDER: Final = "Order Completed"
WORTH: Final = ("total", "value", "revenue")
"""Properties of an order that say what it is worth, in the order in which they are looked for:
https://docs.customer.io/integrations/data-in/semantic-events/ecommerce/."""


def mapped_columns(feed: Feed, columns: Mapping[str, str]) -> tuple[str, ...]:
    """The source's columns that traits and properties are made of, in the table's own spelling.

    *columns* has the table's columns by their names in lower case; others are not in the table.
    """
    named = {
        node.parts[0].name.lower()
        for path, text in feed.expressions()
        if any(part in path for part in CONTENTS)
        for node in parse_expression(text).find_all(exp.Column)
    }
    return tuple(name for key, name in columns.items() if key in named)


def order_worth(feed: Feed) -> str | None:
    """SQL over a row for what its order is worth; null where it is none. None: a feed of others."""
    for call in feed.insert:
        if not isinstance(call, Track) or call.event != ORDER:
            continue
        for name in WORTH:
            text = call.properties.get(name)
            if isinstance(text, str):
                conditions = [one for one in (feed.filter, call.when) if one is not None]
                passed = " AND ".join(f"({one})" for one in conditions) or "true"
                return f"CASE WHEN {passed} THEN {_number(text)} END"
    return None


def _number(text: str) -> str:
    """The expression as a number, null where it is none; SQL is written anew, without comments."""
    return f"TRY_CAST(({parse_expression(text).sql(DIALECT, comments=False)}) AS DOUBLE)"
