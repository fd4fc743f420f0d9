"""Delivering a task's messages through a scripted destination: no network, no Spark."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from pipeline.core.cipher import decrypt, keyring
from pipeline.core.ids import entity_hash
from pipeline.core.records import OUTCOMES
from pipeline.core.retry import RetryPolicy
from pipeline.core.seal import SealPolicy, seal
from pipeline.core.wire import Answer, NoAnswer
from pipeline.delivery.deliver import deliver
from pipeline.delivery.limiter import Limiter
from pipeline.delivery.plan import Barrier, Pace, Plan, Target

KEY = bytes(32)
KEYS = keyring(bytes(range(32)))
DRAFT = pa.schema(
    [
        ("digest", pa.binary()),
        ("source_version", pa.int64()),
        ("committed_at", pa.timestamp("us", tz="UTC")),
        ("call_number", pa.int32()),
        ("entity", pa.string()),
        ("call_type", pa.string()),
        ("event", pa.string()),
        ("body", pa.string()),
        ("kind", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)


def draft(number: int, person: str, *, size: int = 0, **changed):
    body = {"messageId": "0" * 26, "type": "track", "userId": person, "event": f"e{number}"}
    if size:
        body["properties"] = {"text": "x" * size}
    row = {
        "digest": number.to_bytes(16, "big"),
        "source_version": number,
        "committed_at": None,
        "call_number": 0,
        "entity": f"person:{person}",
        "call_type": "track",
        "event": f"e{number}",
        "body": json.dumps(body, separators=(",", ":")) + ",",
        "kind": None,
        "stage": None,
        "reason": None,
        "detail": None,
    }
    return row | changed


def make_plan(**changed) -> Plan:
    pace = Pace(
        rate=1e6,
        lanes=4,
        batch_bytes=500_000,
        quick_attempts=1,
        quick_initial=timedelta(milliseconds=1),
        quick_max=timedelta(milliseconds=2),
        breaker_failures=5,
        dead_share=0.2,
        dead_count=10,
    )
    plan = Plan(
        job="deliver",
        slice=(1 << 32) + 1,
        target=Target(
            url="http://nowhere",
            write_key=SecretStr("k"),
            strict=True,
            connect_timeout=timedelta(seconds=1),
            total_timeout=timedelta(seconds=1),
        ),
        pace=replace(pace, **changed.pop("pace", {})),
        barrier=Barrier(read_at=time.time(), **changed.pop("barrier", {})),
        deadline=time.time() + 60,
        retry=RetryPolicy(),
        keys=KEYS,
    )
    return replace(plan, **changed)


class Destination:
    """Answers as *judge* says for the calls of a request; keeps what it accepted, in order."""

    def __init__(self, judge: Callable[[list[dict]], Answer | NoAnswer]) -> None:
        self.judge = judge
        self.received: list[dict] = []
        self.requests: list[int] = []

    async def post(self, request):
        await asyncio.sleep(0)
        body = json.loads(request.body)
        calls = body["batch"] if request.endpoint == "batch" else [body]
        self.requests.append(len(calls))
        answer = self.judge(calls)
        if isinstance(answer, Answer) and answer.status == 200:
            self.received += calls
        return answer

    @asynccontextmanager
    async def opened(self, _plan):
        yield self


OK = Answer(status=200, retry_after=None, text="")


def status(code: int, retry_after: str | None = None) -> Answer:
    return Answer(status=code, retry_after=retry_after, text="refused")


def run(drafts: list[dict], plan: Plan, destination: Destination) -> pa.Table:
    """All rows of outcomes that the task yields."""
    batches = pa.Table.from_pylist(drafts, schema=DRAFT).to_batches(max_chunksize=7)
    return run_batches(batches, plan, destination)


def run_batches(
    batches: Iterable[pa.RecordBatch], plan: Plan, destination: Destination
) -> pa.Table:
    """The same of drafts that come bit by bit."""
    read = partial(
        seal,
        policy=SealPolicy(feed="f", envelope=b"{}", hashing_key=KEY, call_bytes=32_000),
    )

    async def collect():
        return [b async for b in deliver(batches, plan, read, destination.opened)]

    return pa.Table.from_batches(asyncio.run(collect()), OUTCOMES.arrow)


def test_requests_are_saved_up_while_the_input_is_read(monkeypatch):
    """It takes a second or two, in which nothing is sent; each slice would wait for its first."""
    clock, waits = [0.0], []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    def batches():
        yield from pa.Table.from_pylist([draft(1, "ann")], schema=DRAFT).to_batches()
        clock[0] = 1.0

    monkeypatch.setattr(
        "pipeline.delivery.deliver.Limiter", lambda rate, _: Limiter(rate, lambda: clock[0], wait)
    )
    plan = make_plan()
    plan = replace(plan, pace=replace(plan.pace, rate=10.0))
    destination = Destination(lambda _: OK)
    run_batches(batches(), plan, destination)
    assert destination.requests == [1]
    assert waits == []


def messages(rows: pa.Table) -> dict[str, dict]:
    """Message rows by event name, which the tests use as a name for the message."""
    found = [r for r in rows.to_pylist() if r["kind"] not in {"request", "task"}]
    assert len({r["message_id"] for r in found}) == len(found)
    return {r["event"]: r for r in found}


def kinds(rows: pa.Table) -> dict[str, str]:
    return {event: row["kind"] for event, row in messages(rows).items()}


def summary(rows: pa.Table) -> dict:
    (row,) = [r for r in rows.to_pylist() if r["kind"] == "task"]
    return row


def test_accepted_messages_are_recorded_without_payload_and_with_their_id():
    """What the destination got carries the id that the ledger has."""
    destination = Destination(lambda _: OK)
    rows = run([draft(n, f"p{n % 3}") for n in range(10)], make_plan(), destination)
    by_event = messages(rows)
    assert {r["kind"] for r in by_event.values()} == {"accepted"}
    assert {c["event"]: c["messageId"] for c in destination.received} == {
        e: r["message_id"] for e, r in by_event.items()
    }
    assert all(r["payload"] is None and r["attempts"] == 1 for r in by_event.values())
    requests = [r["request_id"] for r in rows.to_pylist() if r["kind"] == "request"]
    assert {r["request_id"] for r in by_event.values()} == set(requests)


def test_a_503_queues_with_an_encrypted_payload_and_bars_the_entity():
    """The failed messages wait, those behind them too; other people's are sent."""
    destination = Destination(
        lambda calls: status(503) if any(c["event"] == "e0" for c in calls) else OK
    )
    plan = make_plan(pace={"batch_bytes": 100, "lanes": 1})  # one call a request
    drafts = [draft(0, "ann"), draft(1, "ann"), draft(2, "bob")]
    rows = messages(run(drafts, plan, destination))
    assert {e: r["kind"] for e, r in rows.items()} == {
        "e0": "queued",
        "e1": "queued",
        "e2": "accepted",
    }
    assert rows["e0"]["next_attempt_at"] is not None
    assert (rows["e1"]["reason"], rows["e1"]["next_attempt_at"]) == ("behind_entity", None)
    _, call = decrypt(
        KEYS, rows["e0"]["payload_key_id"], rows["e0"]["message_id"], rows["e0"]["payload"]
    )
    assert json.loads(call)["messageId"] == rows["e0"]["message_id"]


def test_a_refused_message_costs_only_itself():
    """400 for a batch: bisected until the one call stands alone."""
    destination = Destination(
        lambda calls: status(400) if any(c["event"] == "e13" for c in calls) else OK
    )
    rows = run([draft(n, "ann") for n in range(40)], make_plan(), destination)
    assert kinds(rows) == {f"e{n}": "dead" if n == 13 else "accepted" for n in range(40)}
    assert [c["event"] for c in destination.received] == [f"e{n}" for n in range(40) if n != 13]
    dead = messages(rows)["e13"]
    assert (dead["stage"], dead["reason"], dead["detail"]) == ("destination", "http_400", "refused")


def test_calls_that_an_answer_names_are_refused_and_their_siblings_are_not_sent_again():
    """Errors for single calls: bisecting would send accepted siblings once more."""

    def judge(calls):
        bad = [{"batch_index": i} for i, c in enumerate(calls) if c["event"] in {"e3", "e7"}]
        return Answer(status=207, retry_after=None, text=json.dumps({"errors": bad}))

    destination = Destination(judge)
    rows = run([draft(n, "ann") for n in range(10)], make_plan(pace={"lanes": 1}), destination)
    assert destination.requests == [10]
    dead = {e for e, kind in kinds(rows).items() if kind == "dead"}
    assert dead == {"e3", "e7"}
    assert sorted(kinds(rows).values()).count("accepted") == 8
    assert messages(rows)["e3"]["reason"] == "http_207_item"


def test_a_wrong_key_leaves_all_unsent():
    """401: no row for what was not sent, and the task says why."""
    destination = Destination(lambda _: status(401))
    rows = run([draft(n, f"p{n}") for n in range(20)], make_plan(), destination)
    assert kinds(rows) == {}
    assert (summary(rows)["unsent"], summary(rows)["reason"]) == (20, "http_401")


def test_an_open_circuit_stops_the_task():
    """After five failures in a row what is left stays unsent; what failed is queued, uncounted."""
    destination = Destination(lambda _: NoAnswer(reason="reset"))
    plan = make_plan(pace={"batch_bytes": 100, "lanes": 1})
    rows = run([draft(n, f"p{n}") for n in range(20)], plan, destination)
    assert len(destination.requests) == 5
    assert kinds(rows) == {f"e{n}": "queued" for n in range(5)}
    assert {r["attempts"] for r in messages(rows).values()} == {0}
    assert (summary(rows)["unsent"], summary(rows)["circuit"]) == (15, "open")


def test_the_servers_own_wait_is_honoured():
    """Retry-After is the least that a queued message waits."""
    destination = Destination(lambda _: status(429, retry_after="900"))
    row = messages(run([draft(0, "ann")], make_plan(), destination))["e0"]
    wait = row["next_attempt_at"] - row["recorded_at"]
    assert wait >= timedelta(seconds=900)


def test_nothing_is_sent_after_the_deadline():
    """The barrier is too old: the rest of the slice is unsent."""
    destination = Destination(lambda _: OK)
    rows = run([draft(0, "ann")], make_plan(deadline=time.time() - 1), destination)
    assert (kinds(rows), destination.requests) == ({}, [])
    assert summary(rows)["reason"] == "deadline"


def test_barred_erased_and_known_are_judged_before_sending():
    """Behind a waiting message: queued. Erased: cancelled. Has an outcome: no second row."""
    destination = Destination(lambda _: OK)
    first = messages(run([draft(0, "kim")], make_plan(), destination))["e0"]["message_id"]
    barrier = {
        "barred": frozenset({entity_hash("person:ann", KEY)}),
        "erased": frozenset({entity_hash("person:bob", KEY)}),
        "known": frozenset({first.encode()}),
    }
    drafts = [draft(0, "kim"), draft(1, "ann"), draft(2, "bob"), draft(3, "eve")]
    rows = run(drafts, make_plan(barrier=barrier), destination)
    assert kinds(rows) == {"e1": "queued", "e2": "cancelled", "e3": "accepted"}


def test_a_call_over_the_limit_is_dead_and_kept():
    """32,000 bytes pass, one more does not; the payload is there for whoever looks."""
    fixed = len(draft(0, "ann", size=1)["body"]) - 2
    destination = Destination(lambda _: OK)
    drafts = [draft(0, "ann", size=32_000 - fixed), draft(1, "ann", size=32_001 - fixed)]
    rows = messages(run(drafts, make_plan(), destination))
    assert (rows["e0"]["kind"], rows["e1"]["kind"]) == ("accepted", "dead")
    assert rows["e1"]["reason"] == "call_too_large"
    assert rows["e1"]["detail"] == "32001 bytes, at most 32000"
    assert rows["e1"]["payload"] is not None


def test_what_mapping_refused_or_skipped_is_recorded_as_such():
    """A dead letter keeps its row, a skipped change its reason."""
    destination = Destination(lambda _: OK)
    drafts = [
        draft(0, "ann", kind="dead", stage="map", reason="CAST_INVALID_INPUT", body='{"row":{}},'),
        draft(1, "ann", kind="skipped", reason="filtered", body=None),
        draft(2, "ann"),
    ]
    rows = messages(run(drafts, make_plan(), destination))
    assert {e: r["kind"] for e, r in rows.items()} == {
        "e0": "dead",
        "e1": "skipped",
        "e2": "accepted",
    }
    dead = rows["e0"]
    _, row = decrypt(KEYS, dead["payload_key_id"], dead["message_id"], dead["payload"])
    assert row == b'{"row":{}}'


@pytest.mark.parametrize("waive", [False, True])
def test_too_many_dead_letters_hold_the_slice(waive):
    """A third that can't be mapped is a wrong mapping: nothing is recorded until released."""
    destination = Destination(lambda _: OK)
    drafts = [
        draft(n, "ann", **({"kind": "dead", "stage": "map"} if n % 3 == 0 else {}))
        for n in range(60)
    ]
    rows = run(drafts, make_plan(waive_ratio=waive), destination)
    if waive:
        assert sorted(kinds(rows).values()).count("dead") == 20
    else:
        assert (kinds(rows), destination.requests) == ({}, [])
        assert summary(rows)["reason"] == "dead_share"


def test_a_flood_of_refusals_holds_instead_of_bisecting_on():
    """When a third of the calls is refused one by one, the rest stays unsent."""
    destination = Destination(
        lambda calls: status(400) if any(int(c["event"][1:]) % 3 == 0 for c in calls) else OK
    )
    rows = run([draft(n, f"p{n}") for n in range(3000)], make_plan(pace={"lanes": 1}), destination)
    assert summary(rows)["reason"] == "refused_share"
    assert sorted(kinds(rows).values()).count("dead") < 20
    assert len(destination.requests) < 200


def test_an_alias_goes_alone_and_in_its_turn():
    """The batch ends before it and begins anew after it."""
    destination = Destination(lambda _: OK)
    alias = draft(1, "ann", call_type="alias")
    run([draft(0, "ann"), alias, draft(2, "ann")], make_plan(), destination)
    assert destination.requests == [1, 1, 1]
    assert [c["event"] for c in destination.received] == ["e0", "e1", "e2"]


scripts = st.lists(st.sampled_from([200, 200, 200, 503, 0, 400, 401]), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["ann", "bob", "kim"]), min_size=1, max_size=40),
    scripts,
    st.integers(1, 3),
    st.integers(80, 600),
)
def test_order_within_an_entity_holds_whatever_the_destination_does(people, script, lanes, size):
    """What arrives of a person arrives in order, and nothing overtakes what waits or is unsent."""
    answers = iter(script)

    def judge(_calls):
        code = next(answers, 200)
        return NoAnswer(reason="timeout") if code == 0 else status(code) if code != 200 else OK

    destination = Destination(judge)
    plan = make_plan(pace={"lanes": lanes, "batch_bytes": size, "breaker_failures": 3})
    rows = run([draft(n, p) for n, p in enumerate(people)], plan, destination)
    found = kinds(rows)
    for person in set(people):
        own = [f"e{n}" for n, p in enumerate(people) if p == person]
        arrived = [c["event"] for c in destination.received if c["userId"] == person]
        assert arrived == [e for e in own if found.get(e) == "accepted"]
        states = [found.get(e, "unsent") for e in own if found.get(e) != "dead"]
        first_waiting = next((i for i, s in enumerate(states) if s != "accepted"), len(states))
        assert "accepted" not in states[first_waiting:]
    assert summary(rows)["unsent"] == len(people) - len(found)


def test_what_the_source_will_not_keep_goes_to_the_queue_unsent():
    """Near the end of the source's retention a held feed would lose what it has not read."""
    destination = Destination(lambda _: OK)
    drafts = [draft(0, "ann"), draft(1, "bob"), draft(2, "ann", kind="dead", stage="map")]
    rows = messages(run(drafts, make_plan(overflow=True), destination))
    assert {e: r["kind"] for e, r in rows.items()} == {"e0": "queued", "e1": "queued", "e2": "dead"}
    assert destination.requests == []
    assert rows["e0"]["payload"] is not None
    assert (rows["e0"]["reason"], rows["e0"]["next_attempt_at"]) == ("overflow", None)
