"""What the column checks let through the API's models take, and what they refuse these refuse."""

import math
import random
import re

import pytest

from pipeline.core.api.check import check_line
from pipeline.core.feed import FeedError

ROWS = (
    "id string, anon string, event string, email string, n double, price float, age int, "
    "seen timestamp, tags array<string>, "
    "lines array<struct<product_id: string, price: double, quantity: int>>, "
    "notes map<string, double>, label struct<a: string, b: struct<c: double>>"
)
TEXTS = ["a", "", "  ", "\u3000", "\u00a0x", None, "x" * 150, "\u00e9" * 76, "y" * 1001, 'q"\\\n']
NUMBERS = [1.0, -0.5, 1e300, float("nan"), float("inf"), None]
LINES = [
    None,
    [],
    [None],
    [("p", 1.5, 2), (None, None, None)],
    [("", float("-inf"), 1)],
    [("p" * 400, 1.0, 1)] * 3,
]
FEEDS = {
    "identify": "insert: {type: identify, anonymous_id: anon, traits: {email: email,"
    " createdAt: seen, n: n, age: age, tags: tags, notes: notes, label: label, lines: lines}}",
    "identify_without_nulls": "send_nulls: false\ninsert: {type: identify, traits: {email: email,"
    " tags: tags, o: {s: email, n: n}}}",
    "track": "insert: {type: track, event_expression: event, properties: {n: n, p: price, l: lines,"
    " notes: notes}}",
    "order": "insert: {type: track, event: Order Completed, properties: {order_id: event, total: n,"
    " revenue: price, products: lines}}",
    "order_with_nulls": "send_nulls: true\ninsert: {type: track, event: Order Completed,"
    " properties: {order_id: event, total: n, products: lines}}",
    "product": "insert: {type: track, event: Product Added, properties: {product_id: event,"
    " price: n, name: email, quantity: age}}",
    "documented_by_expression": "insert: {type: track, event_expression:"
    " \"if(age > 3, 'Order Completed', event)\", properties: {products: age, order_id: event}}",
    "page": "insert: {type: page, name: event, properties: {url: email, n: n, o: label}}",
    "screen": "insert: {type: screen, anonymous_id: anon, properties: {n: price}}",
    "group": "insert: {type: group, group_id: anon, object_type_id: '2', traits: {name: email,"
    " relationshipAttributes: {role: event, n: n}}}",
    "alias": "insert: {type: alias, previous_id: anon}",
    "delete": "insert: [delete_person, suppress_person]",
}
SIZE_OF_CALL = ""


def rows(count: int) -> list[tuple]:
    """Rows of values that are often odd, always the same ones."""
    chance = random.Random(20260101)

    def text() -> str | None:
        return chance.choice(TEXTS) if chance.random() < 0.3 else "fine"

    def number() -> float | None:
        return chance.choice(NUMBERS) if chance.random() < 0.2 else 2.5

    return [
        (
            text(), text(), text(), text(), number(), number(), chance.choice([None, 1, 7]), None,
            chance.choice([None, [], ["a", None], ["z" * 600] * 2]),
            chance.choice(LINES) if chance.random() < 0.4 else [("p", 1.5, 2)],
            chance.choice([None, {}, {"k": 1.0}, {"k": math.nan}, {"k" * 1200: None}]),
            chance.choice([None, (None, None), ("a", (1.0,)), ("a", (math.inf,))]),
        )
        for _ in range(count)
    ]  # fmt: skip


def refused(body: str) -> bool:
    """Whether the models refuse a draft's body, but for its size as a whole."""
    problems = check_line(body[:-1].encode())
    return any(problem.field != SIZE_OF_CALL for problem in problems)


@pytest.fixture
def odd_rows(source):
    table = source(ROWS)
    table.append(*rows(400))
    return table


def test_columns_and_models_agree(odd_rows) -> None:
    """Over rows that are often odd and every type of call, both refuse the same calls."""
    changes = odd_rows.changes().cache()
    for name, text in FEEDS.items():
        feed = odd_rows.feed_of(f"name: {name}\nrow_key: []\nentity: {{person: id}}\n{text}\n")
        drafts = odd_rows.drafts(feed, changes=changes)
        assert {row.kind for row in drafts} == {None, "dead"}, name
        for row in drafts:
            # Spark writes NaN as text, which the models cannot tell from a text.
            if row.reason == "not_finite":
                assert "NaN" in row.body or "Infinity" in row.body, name
            else:
                wrong = check_line(row.body[:-1].encode())
                assert refused(row.body) == (row.kind == "dead"), (
                    name,
                    row.reason,
                    row.detail,
                    wrong,
                )
                if row.kind is None:
                    assert not {'"NaN"', 'Infinity"'} & set(
                        re.findall(r'"NaN"|Infinity"', row.body)
                    )


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ("{type: identify, traits: {email: age}}", "insert.traits.email"),
        ("{type: identify, traits: {createdAt: email}}", "insert.traits.createdAt"),
        ("{type: page, properties: {url: age}}", "insert.properties.url"),
        (
            "{type: track, event: Order Completed, properties: {products: label}}",
            "insert.properties.products",
        ),
    ],
)
def test_a_type_that_the_api_never_takes_is_refused_at_once(source, call: str, field: str) -> None:
    """Names that the API knows have types, and a column of another type cannot be mapped to one."""
    table = source(ROWS)
    feed = table.feed_of(f"row_key: [id]\nentity: {{person: id}}\ninsert: {call}\n")
    with pytest.raises(FeedError, match=f"test.yml: {field}: "):
        table.check(feed)
