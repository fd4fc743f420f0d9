"""Which accepted messages share a row of `outcomes`, and that nothing is told otherwise by it."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.outcome import Accepted
from pipeline.core.packed import COLUMNS, unpack
from pipeline.core.sealed import Sealed, Verdict, entities
from pipeline.delivery.attempt import Sent
from pipeline.delivery.pack import pack
from pipeline.delivery.record import record
from pipeline.delivery.task import Task

from .test_deliver import make_plan

NOW = datetime(2026, 11, 23, tzinfo=UTC)
COMMITTED = pa.timestamp("us", tz="UTC")
PLAIN = {
    "request": 0,
    "entity": 1,
    "verdict": Verdict.ACCEPTED,
    "number": 1,
    "attempts": 0,
    "feed": "f",
    "source_version": 7,
    "call_type": "track",
    "event": "Order Completed",
    "committed_at": 1_000_000,
    "call_number": 0,
}


def task_of(rows: list[dict]) -> Task:
    """A task that has sent, and whose messages became what *rows* say."""

    def column(name: str, type_: pa.DataType) -> pa.Array:
        return pa.array([row[name] for row in rows], type_)

    ids = "".join(f"{place:026}" for place in range(len(rows))).encode()
    hashes = [r["entity"] and bytes([r["entity"]]) * 16 for r in rows]
    sealed = Sealed(
        ids=np.frombuffer(ids, dtype=np.uint8).reshape(-1, 26),
        bodies=pa.array([b"{}," for _ in rows], pa.large_binary()),
        entities=entities(pa.array(hashes, pa.binary())),
        feed=column("feed", pa.string()),
        source_version=column("source_version", pa.int64()),
        committed_at=column("committed_at", pa.int64()).cast(COMMITTED),
        call_number=column("call_number", pa.int32()),
        call_type=column("call_type", pa.string()),
        event=column("event", pa.string()),
        position=np.arange(len(rows)),
        number=np.array([row["number"] for row in rows], dtype=np.int32),
        attempts=np.array([row["attempts"] for row in rows], dtype=np.int32),
        envelope=np.zeros(len(rows), dtype=np.int32),
        envelopes=(b"{}",),
        verdict=np.zeros(len(rows), dtype=np.int8),
        words={},
    )
    plan = make_plan()
    task = Task(sealed=sealed, pace=plan.pace, waive_ratio=False, prefix="p")
    for _ in range(3):
        task.log("batch", 1, 1, Sent(at=0.0, seconds=0.1, status=200, outcome=Accepted()))
    task.verdict = np.array([row["verdict"] for row in rows], dtype=np.int8)
    task.request = np.array([row["request"] for row in rows], dtype=np.int32)
    return task


def runs(rows: list[dict], least: int) -> list[list[int]]:
    """Places of each run."""
    found = pack(task_of(rows), least)
    pairs = zip(found.bounds[:-1], found.bounds[1:], strict=True)
    return [found.places[begin:end].tolist() for begin, end in pairs]


def recorded(rows: list[dict], least: int) -> list[dict]:
    """Rows of outcomes, one a message; the position of one that was accepted at once aside."""
    plan = make_plan(packed_from=least)
    found = unpack(record(task_of(rows), plan, "closed", NOW)).to_pylist()
    for row in found:
        if row["kind"] == "accepted":
            del row["position"]
    return sorted(found, key=lambda row: (row["kind"], row["message_id"] or ""))


ONE = st.fixed_dictionaries(
    {
        "request": st.integers(0, 2),
        "entity": st.sampled_from([None, 1, 2]),
        "verdict": st.sampled_from(
            [Verdict.ACCEPTED] * 6 + [Verdict.PENDING, Verdict.SKIPPED, Verdict.KNOWN]
        ),
        "number": st.sampled_from([1, 1, 1, 2]),
        "attempts": st.sampled_from([0, 0, 0, 1]),
        "feed": st.sampled_from(["f", "f", "g"]),
        "source_version": st.sampled_from([7, 7, 8]),
        "call_type": st.sampled_from(["track", "track", "identify"]),
        "event": st.sampled_from(["e", "e", None]),
        "committed_at": st.sampled_from([1_000_000, 1_000_000, None]),
        "call_number": st.sampled_from([0, 0, 1]),
    }
)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.one_of(
        st.lists(ONE, max_size=40),
        st.lists(st.builds(lambda r: PLAIN | {"request": r}, st.integers(0, 2)), max_size=40),
    ),
    least=st.integers(1, 6),
)
def test_packed_rows_say_of_each_message_what_a_row_each_says(rows: list[dict], least: int) -> None:
    """A message would have no outcome, two of them, or another one's."""
    assert recorded(rows, least) == recorded(rows, 0)


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("request", 1),
        ("number", 2),
        ("attempts", 3),
        ("feed", "g"),
        ("source_version", 8),
        ("call_type", "identify"),
        ("event", None),
        ("event", "Order Refunded"),
        ("committed_at", 2_000_000),
        ("committed_at", None),
        ("call_number", 1),
    ],
)
def test_messages_that_differ_share_no_row(column: str, other: object) -> None:
    """A row says it once for all its messages."""
    rows = [PLAIN, PLAIN | {column: other}] * 3
    assert sorted(runs(rows, 3)) == [[0, 2, 4], [1, 3, 5]]


def test_a_run_is_in_sending_order_and_not_shorter_than_asked() -> None:
    """Few messages are not worth a row of another shape."""
    rows = [PLAIN | {"request": r} for r in (1, 0, 1, 2, 1, 0)]
    assert runs(rows, 1) == [[1, 5], [0, 2, 4], [3]]
    assert runs(rows, 2) == [[1, 5], [0, 2, 4]]
    assert runs(rows, 3) == [[0, 2, 4]]
    assert runs(rows, 4) == []


def test_nought_packs_nothing() -> None:
    """The setting that gives a row each would do something else; so would a task without rows."""
    assert runs([PLAIN] * 40, 0) == []
    assert runs([], 0) == runs([], 1) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"entity": None},
        {"verdict": Verdict.DEAD},
        {"verdict": Verdict.KNOWN},
        {"request": -1},
    ],
)
def test_what_was_not_accepted_or_is_of_nobody_known_stays_alone(changed: dict) -> None:
    """It would be taken for accepted, or its entity would be another one."""
    assert runs([PLAIN, PLAIN | changed, PLAIN], 1) == [[0, 2]]


def test_a_packed_row_has_no_single_id() -> None:
    """It would be read as one message beside those that it holds."""
    stored = record(task_of([PLAIN] * 5), make_plan(packed_from=5), "closed", NOW)
    (row,) = stored.slice(0, 1).to_pylist()
    assert {row[name] for name in ("message_id", "entity_hash", "position")} == {None}
    assert [row[name] and len(row[name]) for name in COLUMNS[1:]] == [5 * 26, 5 * 16]
    assert row["packed"] == 5
