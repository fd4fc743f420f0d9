"""Expressions of a feed: one, deterministic, over one row."""

import pytest

from pipeline.core.feed_sql import NON_DETERMINISTIC, parse_expression


@pytest.mark.parametrize(
    "text",
    [
        "age", "`a column`", "before.age", "a.b[0].c", "payload:device.os", "age::string",
        "transform(lines, l -> named_struct('id', l.id, 'price', l.price / 100))",
        "case when a then b else c end", "exists(tags, t -> t = 'x')", "comment",
        "timestamp'2026-01-01'", "try_cast(a as int)", "a -- a comment", "unix_timestamp(a)",
        "date_format(t, 'yyyy')", "concat(a, 'now')", "struct(a, b)",
    ],
)  # fmt: skip
def test_deterministic_expressions_over_a_row_are_taken(text: str) -> None:
    """What depends on nothing but the row parses."""
    assert parse_expression(text) is not None


@pytest.mark.parametrize("name", sorted(NON_DETERMINISTIC - {"user"}))
def test_functions_that_differ_are_refused_wherever_they_stand(name: str) -> None:
    """Each name of the list is refused, alone and deep inside."""
    arguments = {
        "randstr": "(1, 2)",
        "secret": "(a, b)",
        "shuffle": "(a)",
        "uniform": "(1, 2)",
    }.get(name, "()")
    for text in (f"{name}{arguments}", f"coalesce(a, concat('x', {name}{arguments}))"):
        with pytest.raises(ValueError, match="must give the same each time"):
            parse_expression(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("current_timestamp", "current_timestamp"),
        ("localtimestamp", "localtimestamp"),
        ("unix_timestamp()", "current_timestamp"),
        ("timestamp 'now'", "'now'"),
        ("cast('today' as date)", "'today'"),
        ("a, b", "exactly one"),
        ("a; b", "exactly one"),
        ("", "exactly one"),
        ("a as b", "must not give a name"),
        ("a from t", "not a query"),
        ("distinct a", "not a query"),
        ("(select 1)", "subquery"),
        ("exists(select 1)", "subquery"),
        ("struct(*)", "must name its columns"),
        (":x", "parameter"),
        ("sum(a)", "about one row"),
        ("sum(a) over ()", "about one row"),
        ("explode(a)", "about one row"),
        ("a +", "does not parse"),
    ],
)
def test_what_a_feed_cannot_use_is_refused(text: str, reason: str) -> None:
    """Each refusal says why."""
    with pytest.raises(ValueError, match=reason):
        parse_expression(text)
