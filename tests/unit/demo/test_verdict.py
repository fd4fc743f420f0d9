"""When the show's three counts agree, and when they do not."""

from typing import Any

import pytest

from pipeline.demo.ledger import Ledger, Newest
from pipeline.demo.verdict import Books, Received, Verdict, judge, received


def books(**changed: Any) -> Books:
    sums = {"accepted": 2, "queued": 0, "dead": 1, "skipped": 0, "cancelled": 0}
    return Books.model_validate(
        {
            "feed": "baskets",
            "changes": 3,
            "recounted": 3,
            "messages": 3,
            "closes": True,
            **sums,
            **changed,
        }
    )


LEDGER = Ledger(
    newest={
        "a": Newest(number=0, kind="accepted", feed="baskets", why=""),
        "b": Newest(number=2, kind="accepted", feed="baskets", why=""),
        "c": Newest(number=0, kind="dead", feed="baskets", why="map"),
    }
)
SEEN = Received(applied=frozenset("ab"), arrivals=3, dropped={})


def verdict(
    one: Books | None = None, written: dict[str, int] | None = None, seen: Received = SEEN
) -> Verdict:
    return judge((one or books(),), written or {"baskets": 3}, LEDGER, seen)


def test_agreement_is_silent() -> None:
    """Books that close, as much as was written, and the same ids on both sides."""
    assert verdict().disagreements == ()
    assert verdict().repeats == 1


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (verdict(books(closes=False)), "do not close"),
        (verdict(books(queued=1)), "still queued"),
        (verdict(written={"baskets": 4}), "upstream wrote 4 changes, booked 3"),
        (verdict(written={"baskets": 3, "shops": 1}), "shops: no books"),
        (verdict(seen=Received(applied=frozenset("a"), arrivals=1, dropped={})), "not at the"),
        (verdict(seen=Received(applied=frozenset("abc"), arrivals=3, dropped={})), "not accepted"),
        (verdict(seen=Received(applied=frozenset("ab"), arrivals=2, dropped={"x": 1})), "dropped"),
    ],
)
def test_each_difference_is_told(found: Verdict, words: str) -> None:
    """One difference, one line that names it."""
    assert len(found.disagreements) == 1
    assert words in found.disagreements[0]


def test_ids_that_were_only_dropped_have_not_arrived() -> None:
    """The sandbox lists an id it dropped with no application: that is no delivery."""
    rows = [
        {"message_id": "a", "count": 2, "applied": 2},
        {"message_id": "b", "count": 1, "applied": 0},
    ]

    seen = received(rows, {"dropped": {"call_too_large": 1}})

    assert seen == Received(applied=frozenset("a"), arrivals=2, dropped={"call_too_large": 1})
