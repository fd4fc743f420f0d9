"""How fast a replay asks."""

import pytest

from pipeline.operations.replay import Pace


@pytest.mark.parametrize(("rate", "chunks", "least"), [(100, [50, 50, 50], 1.0), (1000, [10], 0)])
def test_a_replay_keeps_to_its_rate(rate, chunks, least):
    """Old messages would crowd out what was put off today."""
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    pace = Pace(rate, clock=lambda: now[0], sleep=sleep)
    for one in chunks:
        pace.wait(one)
    assert now[0] == pytest.approx(least)


def test_time_that_was_spent_otherwise_is_not_waited_for_again():
    """A replay whose making takes long would be slower than its rate allows."""
    now, slept = [0.0], []
    pace = Pace(100, clock=lambda: now[0], sleep=slept.append)
    pace.wait(100)
    now[0] = 5.0
    pace.wait(100)
    assert slept == []
