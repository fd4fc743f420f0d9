"""Real processes, killed with SIGKILL at steps of the way, and restarted under load."""

import pytest

from chaos.kills import kill_all
from chaos.retries import retry

DELIVER = ("before_send", "during_append", "after_append", "before_checkpoint")
DRAIN = ("during_take_in", "after_send", "after_append", "command_recorded")


@pytest.mark.timeout(2400)
def test_eight_kills_lose_nothing_and_repeat_no_more_than_promised(tmp_path):
    """A kill would lose messages, end one twice, break a person's order, or leave books open."""
    found = kill_all(tmp_path, DELIVER, DRAIN, point_seconds=600)
    wanted = {f"deliver: {point}" for point in DELIVER} | {f"drain: {point}" for point in DRAIN}
    assert set(found.points) == wanted, "a job was not killed where it was to be"
    assert found.verdict.repeated > 0, "no kill came between sending and recording"
    assert found.verdict.holds, found
    assert found.reconciled, found


@pytest.mark.parametrize("fault", ["task_fails", "executor_dies"])
def test_a_task_that_runs_twice_repeats_one_partition(tmp_path, fault):
    """Messages of a failed task would be lost, or recorded twice."""
    found = retry(tmp_path, fault)
    assert found.holds, found
