"""What a feed maps."""

from pipeline.core.feed import parse_feed
from pipeline.core.mapped import mapped_columns, order_worth

HEAD = "source: s\nstart: latest\nrow_key: [id]\nentity: {person: person_id}\n"
ORDERS = HEAD + (
    "filter: status <> 'draft'\n"
    "insert: {type: track, event: Order Completed, when: paid, properties: "
    "{total: 'price * Amount', note: 'lower(extra.text)', shop: \"'here'\"}}\nupdate: nothing\n"
)


def columns(*names):
    return {name.lower(): name for name in names}


def test_columns_are_those_of_the_contents_as_the_table_spells_them():
    """A completeness of keys is always whole, and says nothing of what is sent."""
    feed = parse_feed(ORDERS, file="orders.yml")
    there = columns("id", "person_id", "status", "paid", "PRICE", "amount", "extra", "unused")
    assert mapped_columns(feed, there) == ("PRICE", "amount", "extra")


def test_an_order_is_worth_what_its_call_says():
    """A draft, or an order that is not sent, would be counted as revenue."""
    assert order_worth(parse_feed(ORDERS, file="orders.yml")) == (
        "CASE WHEN (status <> 'draft') AND (paid) THEN TRY_CAST((price * Amount) AS DOUBLE) END"
    )
    other = HEAD + "insert: {type: identify, traits: {total: total}}\n"
    assert order_worth(parse_feed(other, file="people.yml")) is None
