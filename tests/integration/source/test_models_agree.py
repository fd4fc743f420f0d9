"""What the column checks let through the API's models take, and what they refuse these refuse."""

import json
import re
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipeline.core.api.check import check_line
from pipeline.core.feed import FeedError
from pipeline.core.seal import SealPolicy, seal
from pipeline.source.draft import drafts
from pipeline.source.net import METADATA, net
from pipeline.source.parts import template_of

ROWS = (
    "id string, anon string, event string, email string, n double, price float, age int, "
    "seen timestamp, tags array<string>, "
    "lines array<struct<product_id: string, price: double, quantity: int>>, "
    "notes map<string, double>, label struct<a: string, b: struct<c: double>>"
)
TEXTS = ["", "  ", "\u3000", "\u00a0x", None, "x" * 150, "\u00e9" * 76, "y" * 1001, 'q"\\\n']
NUMBERS = [1e300, float("nan"), float("inf"), None]
TIMES = [None, datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)]
ROWS_AN_EXAMPLE = 40
EXAMPLES = 2


def often(plain: st.SearchStrategy, odd: st.SearchStrategy) -> st.SearchStrategy:
    """Plain values, and odd ones among them: a row of nothing but odd ones is always refused."""
    return st.integers(0, 3).flatmap(lambda chance: plain if chance else odd)


short = st.text(max_size=5).filter(lambda text: text not in {"NaN", "Infinity", "-Infinity"})
texts = often(st.just("fine"), st.sampled_from(TEXTS) | short)
numbers = often(st.just(2.5), st.sampled_from(NUMBERS) | st.floats(width=32))
counts = st.none() | st.integers(-(2**31), 2**31 - 1)
lines = st.none() | st.lists(st.none() | st.tuples(texts, numbers, counts), max_size=2)
long_lines = st.just([("p" * 400, 1.0, 1)] * 3)
rows = st.tuples(
    texts,
    texts,
    texts,
    texts,
    numbers,
    numbers,
    counts,
    st.sampled_from(TIMES),
    st.none() | st.lists(st.none() | texts, max_size=2) | st.just(["z" * 600] * 2),
    often(st.just([("p", 1.5, 2)]), lines | long_lines),
    st.none()
    | st.dictionaries(short, st.none() | numbers, max_size=2)
    | st.just({"k" * 1200: None}),
    st.none() | st.tuples(st.none() | texts, st.none() | st.tuples(st.none() | numbers)),
)
"""Of `ROWS`, in its order."""
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


def refused(body: str) -> bool:
    """Whether the models refuse a draft's body, but for its size as a whole."""
    problems = check_line(body[:-1].encode())
    return any(problem.field != SIZE_OF_CALL for problem in problems)


def agree(row) -> None:
    """The draft and the models say the same of one call."""
    # Spark writes NaN as text, which the models cannot tell from a text.
    if row.reason == "not_finite":
        assert "NaN" in row.body or "Infinity" in row.body
        return
    wrong = check_line(row.body[:-1].encode())
    assert refused(row.body) == (row.kind == "dead"), (row.reason, row.detail, row.body, wrong)
    if row.kind is None:
        assert not re.findall(r'"NaN"|Infinity"', row.body)


def rounded(number: str) -> float:
    """Java may spell a float with one digit more than it takes to tell it from all others."""
    return float(np.float32(number))


def assembled_alike(netted, checked, found) -> None:
    """A task assembles of their values the calls that Spark builds, judged the same."""
    template = template_of(checked)
    if template is None:
        return
    policy = SealPolicy(
        feed="f", envelope=b"{}", hashing_key=bytes(32), call_bytes=32_000, template=template
    )
    sealed = seal(drafts(netted, checked, partitions=1, in_parts=True).toArrow(), policy)
    assert len(sealed) == len(found)
    for place, row in enumerate(found):
        made = json.loads(sealed.bodies[place].as_py()[:-1], parse_float=rounded)
        built = json.loads(row.body[:-1], parse_float=rounded)
        assert {**made, "messageId": ""} == {**built, "messageId": ""}
        stage, reason, detail = sealed.words.get(place, (None, None, None))
        assert stage == "size" or (stage, reason, detail) == (row.stage, row.reason, row.detail)


def judged(table, checked) -> Counter[str | None]:
    """Hold a feed's checks against the models over made-up rows; how many were let through."""
    columns = f"{ROWS}, {METADATA[0]} string, {METADATA[1]} long, {METADATA[2]} timestamp"
    commit = ("insert", 1, datetime(2026, 1, 1, tzinfo=UTC))
    seen: Counter[str | None] = Counter()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(made=st.lists(rows, min_size=ROWS_AN_EXAMPLE, max_size=ROWS_AN_EXAMPLE))
    def holds(made) -> None:
        changes = table.spark.createDataFrame([(*row, *commit) for row in made], columns)
        netted = net(changes, checked.feed)
        found = drafts(netted, checked, partitions=1).collect()
        assembled_alike(netted, checked, found)
        assert {row.kind for row in found} <= {None, "dead"}
        seen.update(row.kind for row in found)
        for row in found:
            agree(row)

    holds()
    return seen


def test_columns_and_models_agree(source) -> None:
    """Over made-up rows and every type of call, one would refuse what the other takes."""
    table = source(ROWS)
    templates = set()
    for name, text in FEEDS.items():
        feed = table.feed_of(f"name: {name}\nrow_key: []\nentity: {{person: id}}\n{text}\n")
        checked = table.check(feed)
        seen = judged(table, checked)
        templates |= {name} if template_of(checked) else set()
        assert seen[None], f"{name}: no row was let through"
        assert seen["dead"], f"{name}: no row was refused"
    assert templates == FEEDS.keys() - {"alias", "delete"}


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
