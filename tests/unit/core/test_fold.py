"""The retry queue as a fold of outcomes."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.fold import OutcomeRow, barred, fold, run_order


def row(version, message, kind, number, entity=b"x", position=0):
    return OutcomeRow(
        version=version,
        message_id=message,
        kind=kind,
        number=number,
        entity_hash=entity,
        position=position,
    )


def test_an_end_state_removes_and_a_reschedule_keeps_the_place():
    """A message that fails again does not lose its turn."""
    queue = fold({}, [row(1, "a", "queued", 1), row(2, "b", "queued", 1)])
    queue = fold(queue, [row(3, "a", "queued", 2)])
    assert sorted(queue, key=lambda m: run_order(queue[m])) == ["a", "b"]
    assert queue["a"].number == 2
    assert list(fold(queue, [row(4, "a", "accepted", 3)])) == ["b"]


def test_a_replay_goes_last():
    """Dead, then queued again: behind what waits since."""
    rows = [row(1, "a", "queued", 1), row(2, "b", "queued", 1), row(3, "a", "dead", 2)]
    queue = fold({}, [*rows, row(4, "a", "queued", 3)])
    assert sorted(queue, key=lambda m: run_order(queue[m])) == ["b", "a"]


def test_the_barrier_folds_in_order():
    """Queued and accepted after the position: nobody waits any more."""
    rows = [row(1, "a", "queued", 1), row(2, "a", "accepted", 2)]
    assert barred({}, rows) == frozenset()
    assert barred({}, rows[:1]) == {b"x"}


histories = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["queued", "accepted", "dead"])), max_size=25
)


@given(histories, st.integers(0, 25))
def test_folding_in_parts_is_folding_at_once(history, cut):
    """Drain may take in outcomes tick by tick, or all of them after a long stop."""
    rows = [row(v, message, kind, v) for v, (message, kind) in enumerate(history, 1)]
    assert fold(fold({}, rows[:cut]), rows[cut:]) == fold({}, rows)
