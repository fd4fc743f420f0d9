"""What is known at one moment."""

from pipeline.demo.ledger import Newest
from pipeline.demo.shop import Written
from pipeline.demo.stage import Stage


def test_a_picture_has_what_everyone_says(stage: Stage) -> None:
    """Upstream's word, the ledger, the jobs' logs and the sandbox, in one picture."""
    stage.note(Written(table="baskets", operation="insert", changes=7))
    stage.note(Written(table="baskets", operation="delete", changes=1))
    stage.ledger.newest["a"] = Newest(number=0, kind="accepted", feed="baskets", why="")
    stage.ledger.counts.update({("baskets", "accepted"): 5, ("baskets", "queued"): 2})
    stage.logs[0].log.write_text('{"feed": "baskets", "reason": "x", "event": "hold.began"}\n')

    picture = stage.look()

    line = next(line for line in picture.feeds if line.feed == "baskets")
    assert (line.written, line.counts) == (8, {"accepted": 5, "queued": 2})
    assert (picture.queued, picture.waiting) == (2, 3)
    assert picture.holds == {"baskets": "x"}
    assert (picture.received, picture.repeats, picture.answers) == (5, 2, {"200": 3})
    assert not stage.settled


def test_settled_means_that_nothing_waits(stage: Stage) -> None:
    """As many final outcomes as messages were expected, and an empty retry queue."""
    stage.note(Written(table="households", operation="update", changes=3))
    stage.ledger.counts.update({("households", "accepted"): 1, ("households", "skipped"): 1})
    assert not stage.settled

    stage.ledger.counts["households", "queued"] = 1
    assert not stage.settled

    stage.ledger.counts.update({("households", "queued"): -1, ("households", "dead"): 1})
    assert stage.settled
