"""Real processes, killed with SIGKILL at steps of the way, and restarted under load."""

import pytest

from chaos.kills import kill_all

DELIVER = ("before_send", "during_append", "after_append", "before_checkpoint")
DRAIN = ("during_take_in", "after_send", "after_append", "command_recorded")


@pytest.mark.kills
@pytest.mark.timeout(2400)
def test_eight_kills_lose_nothing_and_repeat_no_more_than_promised(tmp_path):
    """A kill would lose messages, end one twice, break a person's order, or leave books open."""
    found = kill_all(tmp_path, DELIVER, DRAIN)
    assert len(found.points) == len(DELIVER) + len(DRAIN)
    missed = [point for point in found.points if "any_moment" in point]
    assert len(missed) <= len(found.points) // 4, missed
    assert found.verdict.holds, found
    assert found.reconciled, found
