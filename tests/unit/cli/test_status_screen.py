"""The status screen: what is wrong is said, and what is well is not."""

from dataclasses import replace
from datetime import UTC, datetime

from rich.console import Console

from pipeline.cli.status_screen import draw, troubles
from pipeline.operations.status import FeedStatus, Status

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
FEED = FeedStatus(
    feed="orders",
    source_version=7,
    read_version=7,
    accepted_at=NOW,
    accepted_15m=12,
    accepted_24h=3_000,
    dead_24h=0,
    waiting=0,
    oldest_seconds=None,
    freshness_p95_s=1.5,
    open_messages=0,
    holder="host/1/a",
)
WELL = Status(
    target="prod",
    at=NOW,
    feeds=(FEED,),
    drain="host/2/b",
    queue=(),
    holds=(),
    circuits=({"feed": "orders", "job": "deliver", "state": "closed"},),
    errors=(),
    queries=(),
    alerts=(),
)


def text(found):
    console = Console(width=160, record=True, file=None, quiet=True)
    with console.capture() as captured:
        console.quiet = False
        console.print(draw(found))
    return captured.get()


def test_nothing_is_said_when_all_is_well():
    """A false alarm on the screen wakes somebody for nothing."""
    assert troubles(WELL) == []
    assert "all is well" in text(WELL)


def test_a_first_load_shows_how_far_it_is():
    """Nobody could tell a load of hours from one that hangs."""
    assert "first load" not in text(WELL)
    assert "orders: 3 of 12 parts" in text(
        replace(WELL, feeds=(replace(FEED, first_load=(3, 12)),))
    )


def test_each_trouble_has_its_sentence():
    """A trouble without a word would be looked for elsewhere."""
    ill = replace(
        WELL,
        drain=None,
        feeds=(
            replace(FEED, waiting=1_234, oldest_seconds=4_000.0),
            replace(FEED, feed="people", holder=None),
        ),
        holds=({"feed": "orders", "job": "deliver", "reason": "http_401"},),
        circuits=({"feed": "orders", "job": "deliver", "state": "open"},),
        alerts=({"feed": None, "alert": "queue.old", "detail": "too old", "runbook": "docs/x"},),
    )
    said = "\n".join(troubles(ill))
    for words in (
        "drain does not run",
        "people: deliver does not run",
        "1,234 messages wait",
        "orders: holds for http_401",
        "orders: circuit open",
        "pipeline: too old (docs/x)",
    ):
        assert words in said
        assert words in text(ill)


def test_all_feeds_stopped_is_one_trouble():
    """Forty lines that say the same hide the forty-first."""
    stopped = replace(FEED, holder=None)
    found = replace(WELL, feeds=(stopped, replace(stopped, feed="people")))
    assert troubles(found) == ["deliver does not run: nothing new is sent"]


def test_what_is_not_known_is_not_nought():
    """A source that cannot be read from here must not look as if it were up to date."""
    assert FEED.behind == 0
    assert replace(FEED, source_version=None).behind is None
    assert "?" in text(replace(WELL, feeds=(replace(FEED, source_version=None),)))
