"""Leases, judged from rows in commit order."""

import pytest

from pipeline.core.lease import LeaseRow, LeaseState, judge, txn_version


def row(version, entry, epoch, holder):
    return LeaseRow(version=version, entry=entry, epoch=epoch, holder=holder)


def test_nobody_holds_what_nobody_claimed():
    """The first claim takes epoch 1."""
    assert judge([]) == LeaseState()
    assert judge([row(1, "claim", 1, "a")]) == LeaseState(epoch=1, holder="a")


def test_of_two_claims_of_one_epoch_the_first_commit_wins():
    """Whoever reads the rows comes to the same."""
    rows = [row(2, "claim", 1, "b"), row(1, "claim", 1, "a")]
    assert judge(rows).holder == "a"


def test_a_challenge_stands_until_the_holder_answers():
    """An answer of an older epoch, or of somebody else, is none."""
    rows = [row(1, "claim", 2, "a"), row(2, "challenge", 2, "b")]
    assert judge(rows).challenged
    assert judge([*rows, row(3, "answer", 1, "a")]).challenged
    assert judge([*rows, row(3, "answer", 2, "b")]).challenged
    assert not judge([*rows, row(3, "answer", 2, "a")]).challenged


def test_a_released_lease_keeps_its_epoch():
    """So that the next claim fences off all that came before."""
    assert judge([row(1, "claim", 3, "a"), row(2, "release", 3, "a")]) == LeaseState(epoch=3)
    assert judge([row(1, "claim", 3, "a"), row(2, "release", 2, "a")]).holder == "a"


def test_every_append_of_an_older_epoch_is_below_the_next_claim():
    """Delta skips what is not above the newest transaction version of an app."""
    assert txn_version(1, 2**32 - 1) < txn_version(2, 0)
    with pytest.raises(ValueError, match="out of range"):
        txn_version(1, 2**32)
