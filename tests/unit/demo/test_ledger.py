"""The watcher's own fold of the outcomes."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.demo.ledger import Ledger

KINDS = ("accepted", "queued", "dead", "skipped", "cancelled")


def row(message_id: str, number: int, **changed: Any) -> dict[str, Any]:
    return {
        "message_id": message_id,
        "feed": "baskets",
        "number": number,
        "status": None,
        "circuit": None,
        "job": "deliver",
        "stage": None,
        "reason": None,
        **changed,
    }


OUTCOMES = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.sampled_from(KINDS)),
    unique_by=lambda one: one[:2],
)


@given(OUTCOMES, st.randoms())
def test_the_highest_number_holds_whatever_the_order(
    outcomes: list[tuple[str, int, str]], random: Any
) -> None:
    """Files are read as they come, so the order of rows must not matter."""
    shuffled = random.sample(outcomes, len(outcomes))
    ledger = Ledger()
    for message_id, number, kind in shuffled:
        ledger.take(kind, [row(message_id, number)])

    expected = {m: k for m, _, k in sorted(outcomes, key=lambda one: one[1])}

    assert {m: one.kind for m, one in ledger.newest.items()} == expected
    for kind in KINDS:
        assert ledger.count(kind) == len(ledger.ids(kind)) == list(expected.values()).count(kind)
    assert ledger.final == sum(kind != "queued" for kind in expected.values())


def test_a_repeated_row_counts_once() -> None:
    """Counts are of messages, not of rows."""
    ledger = Ledger()

    ledger.take("accepted", [row("a", 0), row("a", 0)])

    assert ledger.count("accepted") == 1


def test_requests_and_tasks_are_told_from_messages() -> None:
    """Requests count by status, or by what happened without one; tasks tell of the circuit."""
    ledger = Ledger()

    ledger.take("request", [row("", 0, status=200), row("", 0, reason="reset")])
    ledger.take("task", [row("", 0, circuit="open", job="drain")])

    assert ledger.requests == {"200": 1, "reset": 1}
    assert ledger.circuits == {"drain": "open"}
    assert not ledger.newest
