"""When what waits is held against a consent table anew."""

from types import SimpleNamespace

import pytest

from pipeline.core.feed import parse_feed
from pipeline.streams import consent
from pipeline.streams.consent import Consents

FEED = """
name: orders
source: orders
start: latest
row_key: [id]
entity: {person: person}
consent: {table: consents, key: person, column: marketing}
insert: {type: track, event: Order}
"""


class Queue:
    """What waits, by message id; who consents; and how often each was read."""

    def __init__(self):
        self.waiting = {"m1": b"a"}
        self.feed_of = {"m1": "orders", "m2": "orders", "other": "visits"}
        self.allowed = {b"a"}
        self.version = 1
        self.outcomes_read = self.consents_read = 0
        self.struck = []

    def rows(self, *_):
        return {one: SimpleNamespace(entity_hash=hash_) for one, hash_ in self.waiting.items()}

    def of_outcomes(self, _spark, _where, ids):
        self.outcomes_read += 1
        return [{"message_id": one, "feed": self.feed_of[one]} for one in ids]

    def of_consents(self, *_):
        self.consents_read += 1
        return self.allowed

    def strike(self, _spark, _runtime, _claim, ids):
        self.struck += ids
        return len(ids)


@pytest.fixture
def queue(monkeypatch):
    one = Queue()
    monkeypatch.setattr(consent, "_waiting", one.rows)
    monkeypatch.setattr(consent, "_queued", one.of_outcomes)
    monkeypatch.setattr(consent, "_strike", one.strike)
    monkeypatch.setattr(consent, "consenting", one.of_consents)
    monkeypatch.setattr(consent, "current_version", lambda *_: one.version)
    monkeypatch.setattr(consent.outcomes, "version", lambda *_: 0)
    return one


@pytest.fixture
def withhold(queue):  # noqa: ARG001  what it reads is the queue's
    keys = SimpleNamespace(hashing_key=b"")
    sources = SimpleNamespace(root="/sources")
    runtime = SimpleNamespace(
        where=None, settings=SimpleNamespace(sources=sources), keys=lambda: keys
    )
    consents = Consents(_feeds=(parse_feed(FEED, file="orders.yml"),))
    return lambda: consents.withhold(None, runtime, None, 0)


def test_nothing_is_read_again_while_nothing_changes(queue, withhold):
    """Each tick would look up all that waits in outcomes, and read the table."""
    assert [withhold(), withhold(), withhold()] == [0, 0, 0]
    assert (queue.outcomes_read, queue.consents_read) == (1, 1)


def test_a_changed_table_and_a_new_message_are_judged(queue, withhold):
    """What waits would be sent after consent was withdrawn, or a new message without any."""
    withhold()
    queue.waiting["m2"] = b"b"
    assert withhold() == 1
    assert queue.struck == ["m2"]
    del queue.waiting["m2"]
    queue.allowed, queue.version = set(), 2
    assert withhold() == 1
    assert queue.struck == ["m2", "m1"]


def test_messages_of_other_feeds_read_no_table(queue, withhold):
    """A busy feed without consent would have the tables of the others read at each tick."""
    withhold()
    queue.waiting["other"] = b"c"
    withhold()
    withhold()
    assert (queue.outcomes_read, queue.consents_read) == (2, 1)


def test_a_feed_of_which_nothing_waits_is_not_looked_at(queue, withhold):
    """A table that changes often would have outcomes read at each tick, for nobody."""
    withhold()
    queue.waiting = {"other": b"c"}
    withhold()
    queue.version = 2
    withhold()
    assert (queue.outcomes_read, queue.consents_read) == (2, 1)


def test_what_could_not_be_struck_is_judged_again(queue, withhold, monkeypatch):
    """A commit that failed once would let the message go without consent."""

    def fails(*_):
        raise OSError("the disk is full")

    withhold()
    queue.allowed, queue.version = set(), 2
    with monkeypatch.context() as ill:
        ill.setattr(consent, "_strike", fails)
        with pytest.raises(OSError, match="the disk is full"):
            withhold()
    assert withhold() == 1
    assert queue.struck == ["m1"]


@pytest.mark.parametrize(
    "before",
    [
        FEED.replace("consents", "older_consents"),
        FEED.replace("consent: {table: consents, key: person, column: marketing}\n", ""),
    ],
    ids=["another table", "no consent asked"],
)
def test_what_waits_is_judged_by_a_changed_feed(queue, tmp_path, before):
    """A table that a feed names anew would not be asked about what waits until it changes."""
    settings = SimpleNamespace(sources=SimpleNamespace(root="/sources", feeds=str(tmp_path)))
    runtime = SimpleNamespace(
        where=None, settings=settings, keys=lambda: SimpleNamespace(hashing_key=b"")
    )
    consents = Consents()
    queue.waiting["other"] = b"c"
    (tmp_path / "visits.yml").write_text(FEED.replace("orders", "visits"))
    for text, allowed, struck in ((before, {b"a", b"c"}, []), (FEED, {b"c"}, ["m1"])):
        (tmp_path / "orders.yml").write_text(text)
        queue.allowed = allowed
        assert consents.asked(settings)
        consents.withhold(None, runtime, None, 0)
        assert queue.struck == struck
