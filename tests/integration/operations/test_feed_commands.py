"""Check, preview and compare feeds over a small table with something wrong in many ways."""

import json
from dataclasses import replace

import pytest

from pipeline.core.feed import FeedError, parse_feed
from pipeline.operations.compare import compare, last_versions
from pipeline.operations.contract import contract
from pipeline.operations.preview import as_json, preview
from pipeline.operations.preview_html import page
from pipeline.operations.propose import propose_for
from pipeline.operations.selection import Choice
from pipeline.settings import Settings

FEED = """
source: orders
start: snapshot
row_key: [order_id]
entity: {person: person}
event_time: at
filter: total >= 0
insert:
  type: track
  event: Ordered
  properties: {order_id: order_id, total: total, note: note}
delete: nothing
"""
ROWS = """
('1', 'ann', timestamp'2026-01-02 00:00:00Z', 1.5, 'fine'),
('2', 'bob', timestamp'2099-01-02 00:00:00Z', 2.5, 'reach me at bob@example.com'),
('3', ' ', timestamp'2026-01-02 00:00:00Z', 3.5, 'nobody'),
('4', 'cat', timestamp'1970-01-01 00:00:00Z', 4.5, repeat('x', 30000)),
('5', 'dan', timestamp'2026-01-02 00:00:00Z', -1, 'filtered'),
('6', 'eve', timestamp'2026-01-02 00:00:00Z', 6.5, repeat('x', 33000)),
('1', 'ann', timestamp'2026-01-02 00:00:00Z', 9.5, 'again'),
(null, 'fay', timestamp'2026-01-02 00:00:00Z', 7.5, null)
"""


def feed_of(text=FEED):
    return parse_feed(text, file="orders.yml")


@pytest.fixture(scope="module")
def settings(spark, tmp_path_factory):
    """Settings whose source root holds one table: created, filled, and one row changed."""
    root = tmp_path_factory.mktemp("sources")
    table = f"delta.`{root}/orders`"
    spark.sql(
        f"CREATE TABLE {table} (order_id string, person string, at timestamp, total double,"
        " note string) USING delta TBLPROPERTIES (delta.enableChangeDataFeed = true)"
    )
    spark.sql(f"INSERT INTO {table} SELECT /*+ COALESCE(1) */ * FROM VALUES {ROWS}")
    spark.sql(f"UPDATE {table} SET total = 8.5 WHERE note = 'fine'")
    return Settings(
        target="test",
        sources={"root": str(root)},
        tables={"root": f"{root}/tables", "checkpoints": f"{root}/checkpoints"},
        delivery={"tasks": 2},
        keys={"source": "file", "file": f"{root}/none.json"},
    )


def test_a_check_finds_each_thing_that_is_wrong(spark, settings):
    """A mistake in the rows that is not found here is found by whoever is on call."""
    found = contract(spark, settings, feed_of(), Choice(first=1, last=1))
    assert not found.holds
    assert found.changes == 8
    by_check = {(one.check, one.severity): one for one in found.findings}
    words = {check: one.what for (check, _), one in by_check.items()}
    assert "order_id is null" in words["key_null"]
    assert by_check["key_duplicate", "error"].keys == ('{"order_id":"1"}',)
    assert by_check["event_in_future", "warning"].keys == ('{"order_id":"2"}',)
    assert by_check["event_far_past", "warning"].keys == ('{"order_id":"4"}',)
    assert by_check["near_limit", "warning"].keys == ('{"order_id":"4"}',)
    assert "properties.note holds what looks like an e-mail address" in words["personal_data"]
    refused = {one.what: one.keys for one in found.findings if one.check == "refused"}
    assert refused == {
        "Ordered: id_missing in userId (stage validate)": ('{"order_id":"3"}',),
        "Ordered: call_too_large (stage size)": ('{"order_id":"6"}',),
    }


def test_what_is_declared_and_chosen_away_is_not_found(spark, settings):
    """Somebody who mended or declared a thing must be able to see it green."""
    declared = feed_of(FEED + "personal_data: [properties.note]\n")
    found = contract(spark, settings, declared, Choice(where="order_id = '2'"))
    assert {one.check for one in found.findings} == {"event_in_future"}
    assert found.holds
    assert found.changes == 1


def test_a_column_that_went_is_a_finding_and_not_a_crash(spark, settings):
    """A CI job needs its report most of all when the table lost a column."""
    found = contract(spark, settings, feed_of(FEED.replace("total: total", "sum: summ")), Choice())
    assert [(one.check, one.severity) for one in found.findings] == [("feed", "error")]
    assert "no column summ" in found.findings[0].what


def test_a_preview_says_what_deliver_would_do(spark, settings):
    """Figures and verdicts that differ from delivery would be worse than none."""
    found = preview(spark, settings, feed_of(), Choice(first=1, last=1), show=20)
    kinds = {(one.kind, one.reason): one.messages for one in found.tallies}
    assert kinds == {
        ("sent", None): 5,
        ("skipped", "filtered"): 1,
        ("dead", "id_missing"): 1,
        ("dead", "call_too_large"): 1,
    }
    assert (found.sent, found.changes, found.requests) == (5, 8, 1)
    sent = [one for one in found.shown if one.kind == "sent"]
    texts = [json.dumps(one.call, separators=(",", ":"), ensure_ascii=False) for one in sent]
    envelope = len('{"batch":[]}')
    assert found.bytes == sum(len(text.encode()) for text in texts) + len(texts) - 1 + envelope
    assert all(one.row["order_id"] == one.call["properties"].get("order_id") for one in sent)
    assert found.ids_are_examples
    assert as_json(found)["sent"] == 5


def test_a_preview_of_an_update_and_its_page(spark, settings):
    """The page must show values as text: a note with a tag in it is no markup."""
    found = preview(spark, settings, feed_of(), Choice(first=2), show=5)
    (one,) = found.shown
    assert (one.operation, one.call["properties"]["total"]) == ("update", 8.5)
    text = page(replace(found, shown=(replace(one, row={"note": "<script>"}),)))
    assert "&lt;script&gt;" in text
    assert "<script>" not in text


def test_a_sample_is_scaled_and_a_wrong_choice_refused(spark, settings):
    """Somebody who previews a part must learn what the whole costs, or why it cannot be read."""
    found = preview(spark, settings, feed_of(), Choice(sample=4), show=0)
    assert (found.changes, found.total, found.whole(3.0)) == (4, 8, 6.0)
    assert found.shown == ()
    with pytest.raises(FeedError, match="the table is at version 2"):
        preview(spark, settings, feed_of(), Choice(first=7), show=0)
    with pytest.raises(FeedError, match="--where totl"):
        preview(spark, settings, feed_of(), Choice(where="totl > 1"), show=0)


def test_a_changed_feed_is_compared_message_by_message(spark, settings):
    """Somebody who changes a feed must see what changes, and nothing that stays."""
    now = feed_of(FEED.replace("total: total", "total: total * 2").replace(">= 0", ">= 2"))
    found = compare(spark, settings, feed_of(), now, Choice(first=1, last=1), show=9)
    assert found.counts == {"same": 3, "other_end": 1, "differs": 4}
    assert found.fields == {"properties.total": 4}
    first = found.differences[0]
    assert first.how == "other_end"
    assert (first.before.kind, first.now.why) == ("sent", "filtered")
    same = compare(spark, settings, feed_of(), feed_of(), Choice(first=1, last=1), show=9)
    assert not same.differs
    assert last_versions(spark, settings, feed_of(), 2) == Choice(first=1, last=2)


def test_a_proposal_for_a_table_fits_it(spark, settings):
    """A proposed feed that its own check refuses would be a poor start."""
    found = propose_for(spark, settings, "orders")
    assert found.to_do == ()
    checked = contract(spark, settings, feed_of(found.text), Choice(first=2))
    assert [one for one in checked.findings if one.check == "feed"] == []
