"""When the show's three counts agree, and when they do not."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipeline.demo.ledger import Ledger, Newest
from pipeline.demo.report import report
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


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (verdict(), "The books close, and the sandbox agrees."),
        (verdict(books(closes=False)), "They do NOT agree"),
    ],
)
def test_the_last_page_says_how_it_ended(found: Verdict, words: str) -> None:
    """Books, reasons of what was not sent, repeats, the verdict, and where to look."""
    console = Console(file=io.StringIO(), width=110)

    report(console, found, {"baskets": 3}, LEDGER, Path("build/demo"), Path("conf/local.yml"))

    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for expected in (words, "dead: 1 of baskets (map)", "1 repeats", "build/demo/sandbox.db"):
        assert expected in text
