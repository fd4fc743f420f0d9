"""A proposed feed: it must be one, and its guesses the ones that a person would make."""

import pytest

from pipeline.core.feed import parse_feed
from pipeline.core.feed_proposal import Column, propose


def columns(**types):
    """Columns named by type, or by type and the number of different values."""
    return [
        Column(
            name=name,
            type=t if isinstance(t, str) else t[0],
            distinct=None if isinstance(t, str) else t[1],
        )
        for name, t in types.items()
    ]


def test_a_table_of_people_is_identified():
    """A row a person must set traits, with dates as Customer.io keeps them, and delete nobody."""
    text = propose(
        "people",
        columns(customer_id=("string", 9), email=("string", 9), born=("date", 5), city="string"),
        9,
    )
    feed = parse_feed(text, file="people.yml")
    assert feed.row_key == ("customer_id",)
    (call,) = feed.insert
    assert call.type == "identify"
    assert call.traits == {
        "email": "email",
        "born": "unix_seconds(CAST(born AS TIMESTAMP))",
        "city": "city",
    }
    assert feed.delete == ()
    assert feed.changes_only


def test_orders_are_recognised_and_personal_columns_left_out():
    """A documented event has its documented name; an address goes out only when somebody says."""
    text = propose(
        "shop/orders",
        columns(
            order_id=("string", 9),
            customer_id=("string", 4),
            ordered_at="timestamp",
            created_at="timestamp",
            amount="double",
            email="string",
        ),
        9,
    )
    feed = parse_feed(text, file="orders.yml")
    (call,) = feed.insert
    assert (call.type, call.event) == ("track", "Order Completed")
    assert dict(call.properties) == {
        "order_id": "order_id",
        "total": "amount",
        "created_at": "created_at",
    }
    assert feed.event_time == "ordered_at"
    assert "# email: email" in text
    assert feed.start == "latest"


@pytest.mark.parametrize(
    "name", ["order", "a b", "naïve", "it's", "back`tick", "yes", "x: y", "1st"]
)
def test_odd_names_still_make_a_feed(name):
    """A column that YAML or SQL reads otherwise would make a proposal that nobody can load."""
    text = propose("t", columns(**{"id": ("string", 3), "user_id": ("string", 2), name: "int"}), 3)
    (call,) = parse_feed(text, file="t.yml").insert
    assert name in call.properties


def test_without_a_key_somebody_is_asked_to_name_it():
    """A guess at a key that is none would make one message of two rows."""
    text = propose("t", columns(user_id=("string", 2), id=("string", 2), at="timestamp"), 3)
    assert parse_feed(text, file="t.yml").row_key == ()
    assert "name the columns" in text
