"""The net effect of a commit, held against a plain reading of the same change feed."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.feed import parse_feed
from pipeline.source.count import count_changes
from pipeline.source.net import KEY_OPTIONS, net
from pipeline.source.net import key as json_key
from pipeline.source.recount import recount

ROWS = "id string, n int"
FEED = "row_key: [id]\nentity: {person: id}\ninsert: {type: identify}\ndelete: delete_person\n"


def shown(frame: DataFrame) -> list[tuple]:
    return sorted(
        (r.source_version, r.operation, r.row.id, r.row.n, r.before.n if r.before else None)
        for r in frame.collect()
    )


def test_each_commit_is_taken_for_what_it_did(source) -> None:
    """Insert, update, delete, MERGE, INSERT OVERWRITE and a changed key, a commit each."""
    table = source(ROWS)
    table.append(("a", 1), ("b", 1), ("c", 1))
    table.sql("UPDATE {t} SET n = 2 WHERE id = 'a'")
    table.sql("DELETE FROM {t} WHERE id = 'b'")
    table.sql(
        "MERGE INTO {t} t USING (SELECT 'a' AS id, 3 AS n UNION ALL SELECT 'd', 1) s "
        "ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
    table.overwrite(("a", 3), ("d", 9), ("e", 1))
    table.sql("UPDATE {t} SET id = 'f' WHERE id = 'e'")
    feed = table.feed_of(FEED)
    assert shown(net(table.changes(), feed)) == [
        (1, "insert", "a", 1, None),
        (1, "insert", "b", 1, None),
        (1, "insert", "c", 1, None),
        (2, "update", "a", 2, 1),
        (3, "delete", "b", 1, None),
        (4, "insert", "d", 1, None),
        (4, "update", "a", 3, 2),
        (5, "delete", "c", 1, None),
        (5, "insert", "e", 1, None),
        (5, "update", "a", 3, 3),
        (5, "update", "d", 9, 1),
        (6, "delete", "e", 1, None),
        (6, "insert", "f", 1, None),
    ]


def test_counts_follow_from_operations(source) -> None:
    """Changes, deletes and messages by version, and an independent recount agrees."""
    table = source(ROWS)
    table.append(("a", 1), ("b", 1))
    table.overwrite(("a", 2), ("c", 1))
    feed = table.feed_of(FEED + "update: [{type: identify}, {type: track, event: U}]\n")
    changes = table.changes()
    counted = count_changes(changes, feed)
    assert [(v.version, v.changes, v.deletes, v.messages) for v in counted.versions] == [
        (1, 2, 0, 2),
        (2, 3, 1, 4),
    ]
    assert not counted.unique_inserts
    assert recount(table.spark, table.table, feed, 1, 2) == counted.versions
    assert len(table.drafts(feed)) == counted.messages


def test_times_are_utc_whatever_zone_the_machine_has(source, monkeypatch) -> None:
    """Books of a laptop in Tokyo would be nine hours ahead; `--days` would reach too far back."""
    table = source(ROWS)
    table.append(("a", 1))
    feed, quick = table.feed_of(FEED), table.changes()
    table.append(("z", 1), ("z", 2))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        counted = [
            *count_changes(quick, feed).versions,
            *count_changes(table.changes(), feed).versions,
            *recount(table.spark, table.table, feed, 1, 2),
        ]
    finally:
        monkeypatch.undo()
        time.tzset()
    ages = [datetime.now(UTC) - one.committed_at for one in counted]
    assert len(ages) == 5
    assert all(timedelta() < age < timedelta(hours=1) for age in ages)


def test_append_only_changes_need_no_shuffle(source) -> None:
    """Inserts of different keys are netted without one, with the same result."""
    table = source(ROWS)
    table.append(("a", 1), ("b", 1))
    table.append(("a", 1), (None, 1))
    feed = table.feed_of(FEED)
    changes = table.changes()
    assert count_changes(changes, feed).unique_inserts
    spared = net(changes, feed, unique_inserts=True)
    assert sorted(map(str, spared.collect())) == sorted(map(str, net(changes, feed).collect()))
    assert (
        "Exchange" not in spared._explain_string() if hasattr(spared, "_explain_string") else True
    )
    table.append(("z", 1), ("z", 2))
    assert not count_changes(table.changes(), feed).unique_inserts


def test_equal_keys_of_a_commit_are_numbered_by_content(source) -> None:
    """The number depends on what the rows hold, not on the order in which they were written."""
    table = source(ROWS)
    table.append(("a", 1), ("a", 2), ("a", 2))
    table.append(("a", 2), ("a", 2), ("a", 1))
    feed = table.feed_of(FEED)
    rows = net(table.changes(), feed).collect()
    by_version = [
        sorted((r.ordinal, r.row.n) for r in rows if r.source_version == version)
        for version in (1, 2)
    ]
    assert by_version[0] == by_version[1]
    assert [ordinal for ordinal, _ in by_version[0]] == [0, 1, 2]


@pytest.fixture(scope="module")
def plain(spark: SparkSession):
    """Changes from plain rows of change type, version, id, n."""
    ddl = "id string, n int, _change_type string, _commit_version long, _commit_timestamp timestamp"

    def make(rows: list[tuple]) -> DataFrame:
        return spark.createDataFrame([(i, n, t, v, None) for t, v, i, n in rows], ddl)

    return make


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["insert", "delete", "update_preimage", "update_postimage"]),
        st.integers(1, 2),
        st.sampled_from(["a", "b", None]),
        st.integers(0, 2),
    ),
    max_size=14,
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=CHANGES)
def test_images_pair_by_key_whatever_comes(plain, rows: list[tuple]) -> None:
    """As many updates as both sides have, the rest deletes or inserts, and no row is lost."""
    feed = parse_feed(f"source: t\nstart: latest\n{FEED}", file="t.yml")
    found = net(plain(rows), feed).collect()
    for version in (1, 2):
        for key in ("a", "b", None):
            mine = [r for r in rows if r[1] == version and r[2] == key]
            pres = [r for r in mine if r[0] in {"delete", "update_preimage"}]
            posts = len(mine) - len(pres)
            ops = [r.operation for r in found if r.source_version == version and r.row.id == key]
            assert ops.count("update") == min(len(pres), posts)
            assert ops.count("delete") == max(len(pres) - posts, 0)
            assert ops.count("insert") == max(posts - len(pres), 0)
    assert all((r.before is not None) == (r.operation == "update") for r in found)
    names = [(r.source_version, r.key, r.operation, r.ordinal) for r in found]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "text", ["plain", "", "a b-c_d.e@f", 'quo"te', "back\\slash", "tab\t", "new\nline", "\x7f", "é"]
)
def test_a_text_key_is_the_json_that_spark_writes(spark: SparkSession, text: str) -> None:
    """Ids are made of keys: a key written another way would send everything again."""
    frame = spark.createDataFrame([(text,), (None,)], "id string")
    feed = parse_feed("name: f\nsource: s\nstart: latest\n" + FEED, file="f.yml")
    whole = F.to_json(F.struct("id"), KEY_OPTIONS)
    for row in frame.select(
        json_key(frame.schema, feed).alias("quick"), whole.alias("whole")
    ).collect():
        assert row["quick"] == row["whole"]
