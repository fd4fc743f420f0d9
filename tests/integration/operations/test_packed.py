"""The same history twice, a row a message and packed: all that read `outcomes` say the same."""

import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.core.alarm import Limits
from pipeline.core.cipher import keyring
from pipeline.core.erasure import parse_entity
from pipeline.core.ids import entity_hash
from pipeline.core.packed import COLUMNS
from pipeline.core.records import BOOKS, OUTCOMES
from pipeline.keys import Secrets
from pipeline.operations import erase, messages
from pipeline.operations.choice import MessageError
from pipeline.operations.export import export
from pipeline.operations.retention import closed_upto, remove_old, spend_payloads
from pipeline.operations.status import status
from pipeline.settings import Retention, Settings
from pipeline.tables import books, outcomes
from pipeline.tables.layout import Layout, layout
from pipeline.tables.rows import append_rows
from pipeline.tables.views import make_session_views, make_views_of_now, reconciliation
from pipeline.watch import measure

NOW = datetime.now(UTC).replace(microsecond=0)
SECRETS = Secrets(api_key=None, payload_keys=keyring(bytes(32)), hashing_key=bytes(32))
ANN = parse_entity("ann")
DEPLOY = Path(__file__).parents[3] / "docs" / "deploy.md"
VIEWS = (
    "message_outcomes",
    "ledger",
    "dead_letters",
    "request_log",
    "reconciliation",
    "metric_messages",
    "metric_business",
    "metric_freshness",
    "metric_refusals",
    "metric_skips",
)
FEED = """
source: {name}
start: latest
row_key: [id]
entity: {{person: person}}
insert: {{type: track, event: Order Completed}}
"""


def name_of(number: int) -> str:
    return f"{number:026}"


def message(number, kind="accepted", outcome=1, **more):
    """A row of one message; two people have all of them."""
    whom = entity_hash(str(ANN), SECRETS.hashing_key) if number % 3 else b"b" * 16
    return {
        "kind": kind,
        "message_id": name_of(number),
        "entity_hash": whom,
        "feed": "orders",
        "source_version": 1,
        "call_number": 0,
        "call_type": "track",
        "event": "Order Completed",
        "number": outcome,
        "attempts": 1,
        "position": more.get("position", 0),
        "request_id": f"r{more.get('source_version', 1)}",
        "committed_at": NOW - timedelta(seconds=100),
        "recorded_at": NOW - timedelta(seconds=60),
        "job": "deliver" if outcome == 1 else "drain",
        "slice": more.get("source_version", 1),
        **more,
    }


def history(*, packs: bool):
    """Four runs that can share a row, and messages of every other kind beside them."""
    people = {"feed": "people", "call_type": "identify", "event": None}
    people |= {"recorded_at": NOW - timedelta(seconds=70)}
    lone = {"position": None}  # which is not kept of what is packed
    runs = [
        [message(n, **lone) for n in range(20)],
        [message(n, **lone, source_version=2, committed_at=None) for n in range(100, 103)],
        [message(n, **lone, **people) for n in range(200, 207)],
        [message(n, outcome=2, **lone, slice=9) for n in (56, 57, 58)],
    ]
    waits = {"stage": "destination", "reason": "http_503", "next_attempt_at": NOW}
    rest = [
        *(message(n, "queued", **waits, payload=b"x", payload_key_id="k") for n in (56, 57, 58)),
        message(50),
        message(51, "queued", **waits),
        message(51, outcome=2),
        message(52, "queued", **waits, payload=b"x", payload_key_id="k"),
        message(53, "dead", stage="validate", reason="id_missing"),
        message(54, "skipped", reason="unchanged", source_version=2),
        message(55, "queued", **waits),
        message(55, "cancelled", 2),
        {"kind": "request", "request_id": "r1", "status": 200, "calls": 20, "feed": "orders",
         "duration_ms": 5.0, "recorded_at": NOW},
        {"kind": "task", "job": "deliver", "slice": 1, "calls": 20, "recorded_at": NOW},
    ]  # fmt: skip
    if not packs:
        return [row for run in runs for row in run] + rest
    return [together(run) for run in runs] + rest


def together(run):
    return run[0] | {
        "message_id": None,
        "entity_hash": None,
        "packed": len(run),
        "packed_ids": b"".join(row["message_id"].encode() for row in run),
        "packed_entities": b"".join(row["entity_hash"] for row in run),
    }


def booked(feed, version, count):
    return {
        "feed": feed,
        "table_id": "t",
        "source_version": version,
        "origin": books.COMMIT,
        "changes": count,
        "deletes": 0,
        "messages": count,
        "committed_at": NOW - timedelta(seconds=100),
        "booked_at": NOW - timedelta(minutes=30),
    }


@dataclass(frozen=True)
class Installation:
    """Settings and tables of one of the two."""

    settings: Settings
    where: Layout


@pytest.fixture(scope="module")
def both(spark, tmp_path_factory, lay_tables):
    """With a row a message, and packed."""
    made = []
    for packs in (False, True):
        folder = tmp_path_factory.mktemp("packed" if packs else "plain")
        (folder / "feeds").mkdir()
        for name in ("orders", "people"):
            (folder / "feeds" / f"{name}.yml").write_text(FEED.format(name=name))
        settings = Settings(
            target="test",
            sources={"root": str(folder), "feeds": str(folder / "feeds")},
            tables={"root": str(folder / "tables"), "checkpoints": str(folder / "checkpoints")},
        )
        where = layout(settings)
        lay_tables(where)
        append_rows(spark, where, OUTCOMES, history(packs=packs))
        versions = [booked("orders", 1, 29), booked("orders", 2, 5), booked("people", 1, 7)]
        append_rows(spark, where, BOOKS, [*versions, booked("people", 2, 1)])
        made.append(Installation(settings, where))
    return tuple(made)


@pytest.fixture
def same(both):
    """Ask both; what they say where it is the same."""

    def ask(question):
        plain, packed = (question(one.settings, one.where) for one in both)
        assert packed == plain
        return packed

    return ask


def told(rows):
    """Rows in an order of their own."""
    return sorted((row.asDict(recursive=True) for row in rows.collect()), key=repr)


@pytest.mark.parametrize("view", VIEWS)
def test_views_say_the_same(spark, same, view):
    """A dashboard or the ledger would miss most of what was accepted."""

    def rows(_, where):
        make_session_views(spark, where, with_metrics=True)
        return told(spark.table(view))

    assert same(rows)


def test_a_row_each_is_all_there(spark, both):
    """What holds for the two alike could still be wrong in both."""
    for one in both:
        make_views_of_now(spark, one.where, ["SELECT * FROM ledger"])
        found = spark.table("message_outcomes")
        assert found.columns == [c.name for c in OUTCOMES.columns if c.name not in COLUMNS]
        accepted = found.where("kind = 'accepted'").select("message_id", "entity_hash").collect()
        wanted = [r for r in history(packs=False) if r["kind"] == "accepted"]
        assert {(r["message_id"], bytes(r["entity_hash"])) for r in accepted} == {
            (r["message_id"], r["entity_hash"]) for r in wanted
        }
        assert len(accepted) == len(wanted) == 35
        assert spark.table("ledger").count() == 39


def test_filters_reach_the_files(spark, both):
    """Each question about a version, or about the few that died, would read all that there is."""
    make_session_views(spark, both[1].where)

    def pushed(condition):
        sql = f"EXPLAIN FORMATTED SELECT * FROM message_outcomes WHERE {condition}"
        plan = spark.sql(sql).collect()[0][0]
        return [line for line in plan.splitlines() if line.startswith("PushedFilters")]

    assert len(pushed("kind = 'dead'")) == 1  # the packed ones are not even looked for
    scans = pushed("feed = 'orders' AND source_version >= 2 AND number = 1")
    assert len(scans) == 2
    for scan in scans:
        assert "EqualTo(feed,orders)" in scan
        assert "GreaterThanOrEqual(source_version,2)" in scan
        assert "EqualTo(number,1)" in scan


def test_books_and_barrier_say_the_same(spark, same):
    """A feed would resume too early and send again, or its books would never close."""
    assert same(lambda _, where: books.recorded(spark, where, "orders")) == {1: 28, 2: 4}
    assert same(lambda _, where: books.recorded(spark, where, "people", 1, 1)) == {1: 7}
    assert same(lambda _, where: books.resume_after(spark, where, "orders")) == 0
    known = same(lambda _, where: outcomes.known_ids(spark, where, "orders", 2, 2))
    assert known == {name_of(n).encode() for n in (54, 100, 101, 102)}
    firsts = {"orders": 2, "people": 1}
    found = same(lambda _, where: told(spark.sql(reconciliation(where, firsts))))
    assert {(r["feed"], r["source_version"]): (r["accepted"], r["missing"]) for r in found} == {
        ("orders", 2): (3, 1), ("people", 1): (7, 0), ("people", 2): (0, 1),
    }  # fmt: skip


def test_the_newest_outcomes_say_the_same(spark, same):
    """A replay would overwrite what was accepted after it, or a command be judged wrongly."""
    few = [name_of(n) for n in (3, 51, 205, 999)]
    many = [name_of(n) for n in range(60)]
    found = same(lambda _, where: told(outcomes.newest(spark, where, few)))
    assert {r["message_id"]: r["number"] for r in found} == {few[0]: 1, few[1]: 2, few[2]: 1}
    assert len(same(lambda _, where: told(outcomes.newest(spark, where, many)))) == 29
    waited = same(
        lambda _, where: (
            outcomes.newest(spark, where, [few[1]], waited=True)
            .select("message_id", "kind", "number")
            .collect()
        )
    )
    assert [tuple(row) for row in waited] == [(few[1], "accepted", 2)]
    dead = [(name_of(53), "orders", bytearray(message(53)["entity_hash"]), 1)]
    about = "message_id string, feed string, entity_hash binary, source_version bigint"
    rows = spark.createDataFrame(dead, about)
    assert same(lambda _, where: outcomes.overtaken(spark, where, rows)) == {name_of(53)}


def test_what_follows_a_packed_message_is_a_row_of_one(spark, both):
    """What drain records next of a message would carry those that it was sent with."""
    newest = outcomes.newest(spark, both[1].where, [name_of(3)])
    (row,) = outcomes.following(newest, 7, NOW, {}).collect()
    assert row.asDict().keys() == {c.name for c in OUTCOMES.columns}
    assert {row[name] for name in COLUMNS} == {None}
    assert (row["message_id"], row["number"]) == (name_of(3), 2)


def test_what_people_ask_for_says_the_same(spark, same):
    """Somebody would be told that nothing is known of a message that was accepted."""
    found = same(lambda _, where: messages.history(spark, where, name_of(101)))
    assert [(row["kind"], row["request_id"]) for row in found] == [("accepted", "r2")]
    keys = SECRETS.payload_keys
    for question in (
        lambda _, where: messages.history(spark, where, name_of(101)[1:] + "9"),
        lambda _, where: messages.payload(spark, where, name_of(101), keys),
        lambda _, where: messages.payload(spark, where, name_of(57), keys),  # ended since
    ):
        with pytest.raises(MessageError):
            same(question)
    held = same(lambda settings, _: erase.stored(spark, settings, SECRETS, ANN))
    theirs = [r for r in history(packs=False) if r.get("entity_hash") != b"b" * 16]
    assert held.messages["accepted"] == sum(r["kind"] == "accepted" for r in theirs)

    def exported(settings, _):
        rows = export(spark, settings, SECRETS, ANN)["outcomes"]
        return sorted(rows, key=repr)

    assert len(same(exported)) == sum("message_id" in r for r in theirs)


def test_figures_say_the_same(spark, same):
    """Alerts would fire for messages that are said to be missing."""
    late = same(lambda settings, _: measure.missing(spark, settings, Limits()))
    assert late == {"orders": 2, "people": 1}

    def figures(settings, _):
        known = measure.History(changes={}, deletes={}, levels={})
        feeds = [SimpleNamespace(name=n, source=n, file=f"{n}.yml") for n in ("orders", "people")]
        found = measure.figures(spark, settings, feeds, known, {})
        return [(f.accepted, f.dead, f.freshness_seconds, f.earliest_seconds) for f in found]

    assert same(figures) == [(28, 1, 40.0, 40.0), (7, 0, 30.0, 30.0)]
    shown = same(
        lambda settings, _: [
            (f.feed, f.accepted_24h, f.open_messages) for f in status(spark, settings).feeds
        ]
    )
    assert shown == [("orders", 28, 2), ("people", 7, 1)]


def test_the_way_back_gives_a_row_each(spark, both, tmp_path):
    """An older version would not see what was packed, and send it again (docs/deploy.md)."""
    where = Layout(root=str(tmp_path))
    shutil.copytree(str(both[1].where.root), tmp_path, dirs_exist_ok=True)
    make_session_views(spark, where)
    before = told(spark.table("message_outcomes"))
    for statement in re.findall(r"^(?:INSERT|DELETE)[^;]*;", DEPLOY.read_text(), re.MULTILINE):
        text = re.sub(r"(INTO|FROM) outcomes", rf"\1 {where.place(OUTCOMES).sql}", statement)
        spark.sql(text.removesuffix(";"))
    stored = where.place(OUTCOMES).read(spark)
    assert stored.where("packed IS NOT NULL").count() == 0
    assert told(stored.drop(*COLUMNS)) == told(spark.table("message_outcomes")) == before


def test_retention_closes_and_removes_the_same(spark, same):
    """Books would never close, or what is removed would leave its packed rows behind."""
    assert same(lambda _, where: spend_payloads(spark, where).rows) == 3  # not the one that waits
    after = NOW + timedelta(days=1)
    assert same(lambda _, where: closed_upto(spark, where, after, after)) == {"people": 1}
    for one in ("orders", "people"):
        start = booked(one, 0, 0) | {"origin": books.START}
        same(lambda _, where, row=start: append_rows(spark, where, BOOKS, [row]))
    keep = Retention(ledger=timedelta(days=1))
    later = NOW + timedelta(days=2)
    same(lambda _, where: bool(remove_old(spark, where, keep, later)))
    assert same(lambda _, where: books.recorded(spark, where, "people")) == {}
    assert same(lambda _, where: books.recorded(spark, where, "orders")) == {1: 28, 2: 4}
