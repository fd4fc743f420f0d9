"""Rows for which an expression raises are found, accounted for, and stop nothing."""

import json
from pathlib import Path

import pytest

from pipeline.core.feed import FeedError
from pipeline.source.draft import drafts
from pipeline.source.isolate import split
from pipeline.source.net import net

ROWS = "id string, amount string, d date"
FEED = """\
row_key: [id]
entity: {person: id}
insert: [{type: identify}, {type: track, event: Paid, properties: {amount: cast(amount as int)}}]
"""


def test_rows_that_raise_are_dead_and_the_others_go_on(source) -> None:
    """Each bad row becomes all its messages as dead letters, with the row and Spark's class."""
    table = source(ROWS)
    table.append(*((f"k{i:03}", "x" if i in {3, 77} else str(i), None) for i in range(120)))
    feed = table.feed_of(FEED)
    checked, netted = table.check(feed), net(table.changes(), feed)
    assert checked.fallible
    isolated = split(netted, checked)
    assert [row.reason for row in isolated.rows] == ["CAST_INVALID_INPUT"] * 2
    rows = drafts(netted, checked, partitions=2, isolated=isolated).collect()
    assert len(rows) == 240
    dead = [row for row in rows if row.kind == "dead"]
    assert sorted((row.call_number, row.stage, row.reason) for row in dead) == [
        (0, "map", "CAST_INVALID_INPUT"),
        (0, "map", "CAST_INVALID_INPUT"),
        (1, "map", "CAST_INVALID_INPUT"),
        (1, "map", "CAST_INVALID_INPUT"),
    ]
    kept = {json.loads(row.body[:-1])["row"]["id"] for row in dead}
    assert kept == {"k003", "k077"}
    assert all(row.entity is None and row.detail is None for row in dead)
    assert sum(row.kind is None for row in rows) == 236


@pytest.mark.parametrize(
    "more",
    [
        "entity: {person: cast(amount as int)}\ninsert: {type: identify}",
        "entity: {person: id}\norder_by: [cast(amount as int)]\ninsert: {type: identify}",
        "entity: {person: id}\nfilter: amount > 3\ninsert: {type: identify}",
        "entity: {person: id}\nevent_time: cast(amount as timestamp)\ninsert: {type: identify}",
        "entity: {person: id}\ninsert: {type: identify, when: cast(amount as int) > 3}",
        (
            "entity: {person: id}\n"
            "insert: {type: identify, traits: {a: {b: \"1 / length(replace(amount, 'x', ''))\"}}}"
        ),
    ],
)
def test_a_row_may_raise_anywhere(source, more: str) -> None:
    """In the entity, order, filter, event time, condition or mapping: the row is found."""
    table = source(ROWS)
    good = "2026-01-01" if "timestamp" in more else "5"
    table.append(("a", good, None), ("b", "x", None))
    feed = table.feed_of(f"row_key: [id]\n{more}")
    isolated = split(net(table.changes(), feed), table.check(feed))
    assert len(isolated.rows) >= 1
    rows = table.drafts(feed, isolated=isolated)
    assert {row.kind for row in rows if row.stage == "map"} == {"dead"}
    assert any(row.kind is None for row in rows)


def test_a_filter_keeps_rows_from_raising(source) -> None:
    """What the filter skips is not evaluated, so it cannot be a bad row."""
    table = source(ROWS)
    table.append(("a", "x", None), ("b", "1", None))
    feed = table.feed_of(f"filter: amount rlike '^[0-9]+$'\n{FEED}")
    isolated = split(net(table.changes(), feed), table.check(feed))
    assert isolated.rows == ()
    reasons = {row.reason for row in table.drafts(feed, isolated=isolated)}
    assert reasons == {"filtered", None}


def test_a_wrong_mapping_is_no_bad_row(source) -> None:
    """When more rows raise than may, the feed is refused, and its file is named."""
    table = source(ROWS)
    table.append(*((str(i), "x", None) for i in range(30)))
    feed = table.feed_of(FEED)
    with pytest.raises(FeedError, match=r"test.yml: more than 3 .*CAST_INVALID_INPUT"):
        split(net(table.changes(), feed), table.check(feed), max_isolated=3)


def test_other_failures_are_raised_on(source) -> None:
    """A failure that no row caused is not hidden as a dead letter."""
    table = source(ROWS)
    table.append(("a", "1", None))
    feed = table.feed_of(FEED)
    netted, checked = net(table.changes(), feed), table.check(feed)
    for file in Path(table.path).rglob("*.parquet"):
        file.unlink()
    with pytest.raises(Exception, match="FILE_NOT_EXIST"):
        split(netted, checked)
