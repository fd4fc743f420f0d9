"""The queue's taking in against the pure fold, leases and their fence, on real Delta tables."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from pipeline.core.erasure import REQUESTED
from pipeline.core.fold import OutcomeRow, barred, fold
from pipeline.core.lease import txn_version
from pipeline.core.records import OUTCOMES
from pipeline.streams import erase
from pipeline.tables import due, leases, outcomes, retry_queue
from pipeline.tables import take_in as taking_in
from pipeline.tables.layout import Layout, check_tables, create_tables
from pipeline.tables.refusal import TablesError
from pipeline.tables.rows import append_rows
from pipeline.tables.session import EMPTY_AHEAD
from pipeline.tables.take_in import take_in

NOW = datetime(2026, 11, 22, tzinfo=UTC)
REFUSED = (PySparkException, Py4JJavaError)  # by how far the commit has come
KINDS = ("accepted", "queued", "dead", "skipped", "cancelled")


@pytest.fixture
def where(lay_tables, tmp_path):
    layout = Layout(root=str(tmp_path))
    lay_tables(layout)
    return layout


def outcome(message, kind, number, entity=b"x" * 16, **more):
    return {
        "kind": kind,
        "message_id": message,
        "feed": "f",
        "source_version": 1,
        "number": number,
        "attempts": 0,
        "position": number,
        "entity_hash": entity,
        "recorded_at": NOW,
        **more,
    }


def together(rows):
    """The same with those that were accepted, and are of one number, in a packed row."""
    runs = {}
    for row in rows:
        if row["kind"] == "accepted":
            runs.setdefault(row["number"], []).append(row)
    packed = [
        run[0]
        | {
            "message_id": None,
            "entity_hash": None,
            "position": None,
            "packed": len(run),
            "packed_ids": "".join(row["message_id"] for row in run).encode(),
            "packed_entities": b"".join(row["entity_hash"] for row in run),
        }
        for run in runs.values()
    ]
    return packed + [row for row in rows if row["kind"] != "accepted"]


def test_tables_are_made_once_and_checked(spark, where):
    """Made again, nothing is made; another format is refused with what to do."""
    assert create_tables(spark, where) == ()
    check_tables(spark, where)
    place = where.place(OUTCOMES)
    spark.sql(f"ALTER TABLE {place.sql} SET TBLPROPERTIES ('pipeline.format' = '99')")
    with pytest.raises(TablesError, match="its format is 99"):
        check_tables(spark, where)
    with pytest.raises(TablesError, match="pipeline tables create"):
        check_tables(spark, Layout(root=str(where.root) + "/nowhere"))


@pytest.mark.parametrize("kept_from", [0, 1_000_000])
def test_what_is_taken_in_is_the_fold(spark, where, monkeypatch, kept_from):
    """Random histories of a few messages: the table holds what the pure fold holds, in order."""
    monkeypatch.setattr(taking_in, "KEPT_FROM", kept_from)
    choose = random.Random(20261122)
    names = [one * 26 for one in "abcde"]
    numbers = dict.fromkeys(names, 0)
    state_of: dict[str, str] = {}
    history: list[OutcomeRow] = []
    for turn in range(4):
        for _ in range(choose.randrange(1, 4)):
            rows = []
            waiting = [one for one, kind in state_of.items() if kind == "queued"]
            ending = turn == 3 and len(waiting) > 1  # the last turn has ends alone
            for message in waiting[1:2] if ending else choose.sample(names, 3):
                kind = "queued" if state_of.get(message) != "queued" else choose.choice(KINDS)
                kind = "accepted" if ending else kind
                numbers[message] += 1
                state_of[message] = kind
                place = ord(message[0])  # a message keeps it
                rows.append(outcome(message, kind, numbers[message], position=place))
            append_rows(spark, where, OUTCOMES, together(rows))
            version = outcomes.version(spark, where)
            history += [
                OutcomeRow(
                    version=version,
                    message_id=r["message_id"],
                    kind=r["kind"],
                    number=r["number"],
                    entity_hash=r["entity_hash"],
                    position=r["position"],
                )
                for r in rows
            ]
        before = retry_queue.pinned(spark, where)
        after_position = outcomes.read_on(spark, where, before.positions.outcomes)
        assert retry_queue.barred_entities(before, after_position) == barred({}, history)
        take_in(spark, where, before.positions, 0)
        after = retry_queue.pinned(spark, where)
        assert retry_queue.as_waiting(after.waiting) == fold({}, history)
        assert retry_queue.positions(spark, where) == after.positions


@pytest.mark.parametrize("compared", [0, 1_000_000])
def test_a_queue_is_emptied_only_of_what_has_ended(spark, where, monkeypatch, compared):
    """As many outcomes as wait are not the outcomes of all that wait."""
    monkeypatch.setattr(taking_in, "KEPT_FROM", 0)
    monkeypatch.setattr(taking_in, "COMPARED_ROWS", compared)
    a, b, c = (one * 26 for one in "abc")

    def taken(*rows):
        append_rows(spark, where, OUTCOMES, together(rows))
        return take_in(spark, where, retry_queue.positions(spark, where), 0)

    def waiting():
        return set(retry_queue.pinned(spark, where).waiting["message_id"].to_pylist())

    assert not taken(
        *(outcome(one, "queued", 1, position=n) for n, one in enumerate((a, b, c)))
    ).emptied
    # Dead, and discarded: it has ended twice.
    ends = [outcome(a, "dead", 2), outcome(a, "cancelled", 3), outcome(b, "accepted", 2)]
    assert not taken(*ends).emptied
    assert waiting() == {c}
    assert taken(outcome(c, "accepted", 2)).emptied
    assert waiting() == set()


def test_only_one_takes_in_what_comes_after_a_position(spark, where):
    """A drain that was paused while another took over would put messages into the queue twice."""
    begun = retry_queue.positions(spark, where)
    append_rows(spark, where, OUTCOMES, [outcome("a", "queued", 1), outcome("b", "queued", 1)])
    take_in(spark, where, begun, 0)
    with pytest.raises(REFUSED, match="another drain has taken in meanwhile"):
        take_in(spark, where, begun, 0)
    append_rows(spark, where, OUTCOMES, [outcome("a", "accepted", 2)])
    with pytest.raises(REFUSED, match="another drain has taken in meanwhile"):
        take_in(spark, where, begun, 0)
    waiting = retry_queue.pinned(spark, where).waiting["message_id"].to_pylist()
    assert sorted(waiting) == ["a", "b"]
    take_in(spark, where, retry_queue.positions(spark, where), 0)
    assert retry_queue.pinned(spark, where).waiting["message_id"].to_pylist() == ["b"]


@pytest.mark.parametrize("kind", ["queued", "accepted"])
def test_of_two_that_take_in_at_once_one_fails(spark, where, monkeypatch, tmp_path, kind):
    """Both have read the same position, and one commits while the other writes."""
    monkeypatch.setattr(taking_in, "KEPT_FROM", 0)
    append_rows(spark, where, OUTCOMES, [outcome("a", "queued", 1)])
    if kind == "accepted":
        take_in(spark, where, retry_queue.positions(spark, where), 0)
        append_rows(spark, where, OUTCOMES, [outcome("a", "accepted", 2)])
    begun, go = tmp_path / "begun", str(tmp_path / "go")
    monkeypatch.setattr(taking_in, "_of_the_queue", waiting_for(go, str(begun)))
    at = retry_queue.positions(spark, where)
    with ThreadPoolExecutor(max_workers=1) as beside:
        slow = beside.submit(take_in, spark, where, at, 0)
        until = time.monotonic() + 60
        while not begun.exists() and time.monotonic() < until:
            time.sleep(0.05)
        monkeypatch.undo()
        take_in(spark, where, at, 0)
        Path(go).touch()
        with pytest.raises(REFUSED, match="CONCURRENT"):
            slow.result()
    waiting = retry_queue.pinned(spark, where).waiting["message_id"].to_pylist()
    assert waiting == (["a"] if kind == "queued" else [])


def waiting_for(go, begun):
    """Rows of the queue that are written only when the file *go* is there."""
    original = taking_in._of_the_queue

    def of_the_queue(kind, rows):
        made = original(kind, rows)
        if kind != "position":
            return made

        def wait(batches):
            for batch in batches:
                Path(begun).touch()
                while not Path(go).exists():
                    time.sleep(0.05)
                yield batch

        return made.mapInArrow(wait, made.schema)

    return of_the_queue


def test_rows_of_the_position_stay_few(spark, where, monkeypatch):
    """Each put adds one, and each barrier reads them all."""
    monkeypatch.setattr(taking_in, "POSITION_ROWS", 2)
    found = []
    for number in range(5):
        append_rows(spark, where, OUTCOMES, [outcome(f"m{number}", "queued", 1)])
        take_in(spark, where, retry_queue.positions(spark, where), 0)
        found.append(retry_queue.positions(spark, where))
    assert [at.rows for at in found] == [1, 2, 3, 1, 2]
    assert found[-1].outcomes == outcomes.version(spark, where)
    assert retry_queue.pinned(spark, where).waiting.num_rows == len(found)


def test_taking_in_costs_by_the_row_and_not_by_the_square(spark, lay_tables, tmp_path):
    """An hour's outage leaves a queue that a MERGE by its kind alone would compare pair by pair."""

    def seconds(count):
        where = Layout(root=str(tmp_path / str(count)))
        lay_tables(where)
        queued = spark.range(count).selectExpr(
            "'queued' AS kind", "concat('m', id) AS message_id", "'orders' AS feed",
            "1 AS number", "id AS position",
        )  # fmt: skip
        ended = queued.withColumns({"kind": F.lit("accepted"), "number": F.lit(2)})
        began = time.perf_counter()
        for rows in (queued, ended):
            where.place(OUTCOMES).append(rows)
            take_in(spark, where, retry_queue.positions(spark, where), 0)
        taken = time.perf_counter() - began
        assert retry_queue.pinned(spark, where).waiting.num_rows == 0
        return taken

    seconds(10)
    assert seconds(20_000) < 5 * seconds(1_000)


@pytest.mark.parametrize(("named", "limit"), [(0, 3), (due.NAMED_ENTITIES, 1), (0, 100)])
def test_whole_runs_of_due_heads_are_due(spark, where, monkeypatch, named, limit):
    """An entity is sent when its head is due, with all that waits behind it; others are not."""
    monkeypatch.setattr(due, "NAMED_ENTITIES", named)
    later = NOW + timedelta(hours=1)
    append_rows(
        spark,
        where,
        OUTCOMES,
        [
            outcome("a1", "queued", 1, b"a" * 16, next_attempt_at=NOW, position=0),
            outcome("a2", "queued", 1, b"a" * 16, position=1),
            outcome("b1", "queued", 1, b"b" * 16, next_attempt_at=later, position=2),
            outcome("b2", "queued", 1, b"b" * 16, position=3),
            outcome("c1", "accepted", 1, b"c" * 16, position=4),
            outcome("d1", "queued", 1, b"d" * 16, next_attempt_at=NOW, position=5),
        ],
    )
    take_in(spark, where, retry_queue.positions(spark, where), 0)

    def due_at(moment, slices=1):
        found = due.find_due(spark, where, moment)
        runs = None if found is None else due.runs_due(spark, found, limit, slices)
        if runs is None:
            return []
        sent = [[] for _ in range(runs.slices)]
        for row in sorted(runs.rows.collect(), key=lambda row: row["message_id"]):
            sent[row[due.SLICE]].append(row["message_id"])
        return [ids for ids in sent if ids]

    alone, both = [["a1", "a2"]], [["a1", "a2"], ["d1"]]
    together = [["a1", "a2", "d1"]]
    assert due_at(NOW - timedelta(seconds=1)) == []
    assert due_at(NOW) == (alone if limit == 1 else together)
    assert due_at(NOW, slices=4) == (both if limit == 1 else together)
    for slices in (1, 9):  # all is due: then any slice has whole runs of anybody
        sent = due_at(later, slices)
        if limit * slices >= 5:
            assert sorted(one for ids in sent for one in ids) == ["a1", "a2", "b1", "b2", "d1"]
        assert all((f"{one}1" in ids) == (f"{one}2" in ids) for ids in sent for one in "ab")


def test_nothing_is_due_twice(spark, where):
    """Of whom a message is may be unknown, and said so in two ways: it would be sent twice."""
    later = NOW + timedelta(hours=1)
    rows = [
        outcome("a1", "queued", 1, None, next_attempt_at=NOW, position=0),
        outcome("a2", "queued", 1, b"", next_attempt_at=NOW, position=1),
        outcome("b1", "queued", 1, b"b" * 16, next_attempt_at=later, position=2),
    ]
    append_rows(spark, where, OUTCOMES, rows)
    take_in(spark, where, retry_queue.positions(spark, where), 0)
    runs = due.runs_due(spark, due.find_due(spark, where, NOW), limit=1, slices=4)
    assert sorted(row["message_id"] for row in runs.rows.collect()) == ["a1", "a2"]


def test_a_request_to_erase_is_seen_before_it_is_taken_in(spark, where):
    """A tick that goes on sending for half a minute ends for it."""
    before = outcomes.version(spark, where)
    append_rows(spark, where, OUTCOMES, [outcome("a1", "queued", 1, reason="http_503")])
    assert not erase.requested(spark, where, before)
    append_rows(spark, where, OUTCOMES, [outcome("a2", "queued", 1, reason=REQUESTED)])
    assert erase.requested(spark, where, before)
    assert not erase.requested(spark, where, outcomes.version(spark, where))


def test_an_older_epoch_can_neither_claim_nor_append(spark, where):
    """A holder that lives answers; one that doesn't is fenced off, and Delta skips its appends."""
    first = leases.acquire(spark, where, "drain", "one", answer_within=0)

    def answer(_seconds):
        leases.check(spark, where, first)

    with pytest.raises(leases.LeaseHeldError, match="one, which lives"):
        leases.acquire(spark, where, "drain", "two", answer_within=1, sleep=answer)
    second = leases.acquire(spark, where, "drain", "three", answer_within=0)
    assert (second.epoch, second.taken_over) == (2, True)
    rows = spark.createDataFrame([("accepted", "m")], "kind string, message_id string")
    outcomes.append(where, rows, first.app, txn_version(first.epoch, 1))
    assert where.place(OUTCOMES).read(spark).count() == 0
    outcomes.append(where, rows, second.app, txn_version(second.epoch, 1))
    assert where.place(OUTCOMES).read(spark).count() == 1
    with pytest.raises(leases.LeaseLostError, match="taken over by three"):
        leases.check(spark, where, first)
    leases.release(spark, where, second)
    assert not leases.acquire(spark, where, "drain", "four", answer_within=0).taken_over


@pytest.mark.parametrize("allowed", ["true", "false"])
def test_changes_after_the_newest_commit_are_none(spark, where, allowed):
    """Serverless compute refuses the setting that makes them so, and each look would fail."""
    place = where.place(OUTCOMES)
    spark.conf.set(EMPTY_AHEAD, allowed)
    try:
        assert place.changes(spark, place.version(spark) + 1).collect() == []
    finally:
        spark.conf.set(EMPTY_AHEAD, "true")
