"""Commands about messages, carried out on real tables: what each comes to, and what is refused."""

from datetime import UTC, datetime
from types import SimpleNamespace

from pipeline.core.records import COMMANDS, OUTCOMES
from pipeline.streams.obey import obey
from pipeline.tables import commands
from pipeline.tables.layout import Layout
from pipeline.tables.rows import append_rows
from pipeline.tables.views import make_session_views

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ASKED = [
    ("queued0", "retry"),
    ("queued1", "discard"),
    ("dead0", "replay"),
    ("dead1", "discard"),
    ("dead2", "retry"),
    ("accepted0", "discard"),
    ("dead3", "replay"),
    ("dead4", "replay --stale"),
]
LATER = b"p" * 16
"""Two dead letters are about it, and a later change of it was accepted."""


def test_each_verb_does_what_it_says_once_and_only_where_it_may(spark, tmp_path, lay_tables):
    """A discard that sends, or a replay of what was accepted, cannot be taken back."""
    where = Layout(root=str(tmp_path))
    lay_tables(where)
    rows = [
        {
            "kind": message.rstrip("01234"),
            "message_id": message,
            "feed": "f",
            "source_version": 2 if message == "accepted0" else 1,
            "number": 1,
            "attempts": 3,
            "entity_hash": LATER if message in {"dead3", "dead4", "accepted0"} else None,
            "position": 0,
            "payload": b"sealed",
            "recorded_at": NOW,
        }
        for message, _ in ASKED
    ]
    append_rows(spark, where, OUTCOMES, rows)
    claim = SimpleNamespace(next_number=iter((7, 8)).__next__, held=SimpleNamespace(app="test"))
    for message, words in ASKED:
        verb, _, stale = words.partition(" ")
        argument = {"stale": True} if stale else None
        commands.wish_for(
            spark, where, verb, [(message, "f")], requested_by="somebody", argument=argument
        )
    wishes = commands.wishes(spark, where, 0)
    obey(spark, where, claim, wishes)
    make_session_views(spark, where)
    ledger = {
        row["message_id"]: row["newest"] for row in spark.sql("SELECT * FROM ledger").collect()
    }
    assert {message: one["kind"] for message, one in ledger.items()} == {
        "queued0": "queued",
        "queued1": "cancelled",
        "dead0": "queued",
        "dead1": "cancelled",
        "dead2": "dead",
        "accepted0": "accepted",
        "dead3": "dead",
        "dead4": "queued",
    }
    assert ledger["dead0"]["attempts"] == 0
    assert ledger["dead1"]["payload"] is None  # what is never sent is not kept
    results = where.place(COMMANDS).read(spark).where("entry = 'result'").collect()
    assert sorted(row["status"] for row in results) == ["applied"] * 5 + ["refused"] * 3
    version = where.place(OUTCOMES).version(spark)
    obey(spark, where, claim, wishes[1:4])  # again, as after a crash: nothing more happens
    assert where.place(OUTCOMES).version(spark) == version
