"""Finding messages by filter, and asking for something to be done with them."""

from datetime import timedelta

import pytest
from pyspark.sql import functions as F

from pipeline.core.records import AUDIT_LOG, COMMANDS
from pipeline.operations import messages
from pipeline.operations.ask import ask, asked
from pipeline.operations.choice import Filter, MessageError
from pipeline.settings import Settings
from pipeline.tables import commands
from pipeline.tables.views import make_session_views

from .conftest import KEYS


def found(spark, where, **wanted):
    return {m for m, _ in messages.ids(spark, where, "dead", Filter(**wanted), None)}


def test_dead_letters_are_those_of_the_ledger(spark, where):
    """The short way to the dead letters must see replays and late deaths as the ledger does."""
    make_session_views(spark, where)
    ledger = spark.table("ledger").where("newest.kind = 'dead'").select("message_id").collect()
    assert {row[0] for row in ledger} == found(spark, where) == {"m2", "m3", "m6"}


def test_filters_choose_and_combine(spark, where):
    """A filter that is not applied would discard messages that nobody meant."""
    assert found(spark, where, feed="orders") == {"m2", "m3"}
    assert found(spark, where, feed="orders", reason="http_400") == {"m3"}
    assert found(spark, where, entity_hash=b"m6".ljust(16, b"\0")) == {"m6"}
    assert found(spark, where, older_than=timedelta(hours=1)) == set()
    assert found(spark, where, newer_than=timedelta(hours=1)) == {"m2", "m3", "m6"}
    assert found(spark, where, message_ids=("m3", "m6"), feed="people") == {"m6"}
    assert len(messages.ids(spark, where, "dead", Filter(), 2)) == 2


def test_groups_count_all_and_rows_show_the_oldest(spark, where):
    """The totals are of all that match, not of those that are shown."""
    all_ = messages.find(spark, where, "dead", Filter(), 1)
    assert all_.total == 3
    assert {(g["feed"], g["reason"], g["messages"]) for g in all_.groups} == {
        ("orders", "http_400", 1),
        ("orders", "attempts_exhausted", 1),
        ("people", "id_missing", 1),
    }
    assert len(all_.rows) == 1
    assert "payload" not in all_.rows[0]


def test_a_message_is_shown_whole_and_its_payload_only_by_key(spark, where):
    """The history has every outcome, no payload; the payload opens with the key alone."""
    history = messages.history(spark, where, "m2")
    assert [row["kind"] for row in history] == ["queued", "dead"]
    assert "payload" not in history[0]
    assert messages.payload(spark, where, "m2", KEYS) == '{"type":"track"}'
    with pytest.raises(MessageError, match="no payload is kept"):
        messages.payload(spark, where, "m0", KEYS)
    with pytest.raises(MessageError, match="nothing is known"):
        messages.history(spark, where, "nobody")


def test_what_is_asked_for_is_one_request_with_its_results(spark, where):
    """Somebody asks for two messages at once: one commit, one line, and each result counted."""
    before = where.place(COMMANDS).version(spark)
    settings = Settings(
        target="test", tables={"root": where.root, "checkpoints": f"{where.root}/checkpoints"}
    )
    request = ask(spark, settings, "replay", [("m2", "orders"), ("m6", "people")])
    assert where.place(COMMANDS).version(spark) == before + 1
    (one,) = asked(spark, where, 5)
    assert (one.request, one.wishes, one.waiting, one.applied) == (request, 2, 2, 0)
    assert one.feeds == ("orders", "people")
    assert one.requested_by
    wishes = commands.wishes(spark, where, before)
    commands.results(
        spark, where, [(wishes[0], "applied", "x"), (wishes[1], "refused", "is accepted")]
    )
    (one,) = asked(spark, where, 5)
    assert (one.applied, one.refused, one.waiting, one.words) == (1, 1, 0, ("is accepted",))
    log = where.place(AUDIT_LOG).read(spark).collect()
    assert [row["action"] for row in log] == ["command.replay"]
    rows = where.place(COMMANDS).read(spark).where(F.col("entry") == "wish")
    assert {row["message_id"] for row in rows.collect()} == {"m2", "m6"}
