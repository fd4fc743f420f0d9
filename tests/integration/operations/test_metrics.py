"""The metrics' SQL against a history that is known."""

from pathlib import Path

import pytest

from pipeline.tables.layout import Layout, create_tables
from pipeline.tables.metrics import metrics
from pipeline.tables.views import METRICS, create_views, make_session_views, statements


@pytest.fixture(scope="module")
def views(spark, where):
    make_session_views(spark, where, with_metrics=True)
    return spark


def total(spark, sql):
    return spark.sql(sql).collect()[0].asDict()


def test_every_metric_runs_and_says_what_a_row_is(views):
    """A view that does not run takes every dashboard with it."""
    for one in metrics():
        views.table(one.name).collect()
        assert len(one.says) > 40


def test_messages_and_requests_are_counted_as_they_were_recorded(views):
    """Metrics come from the books' own tables: they must not count otherwise."""
    kinds = {
        (row["feed"], row["kind"]): row["n"]
        for row in views.sql(
            "SELECT feed, kind, sum(messages) AS n FROM metric_messages GROUP BY feed, kind"
        ).collect()
    }
    assert kinds["orders", "accepted"] == 2
    assert kinds["orders", "dead"] == 3
    assert kinds["people", "skipped"] == 1
    assert total(views, "SELECT sum(retried) AS n FROM metric_messages")["n"] == 3
    requests = total(
        views,
        "SELECT sum(requests) n, sum(calls) c, max(p95_ms) p, max(fill) f FROM metric_requests",
    )
    assert requests == {"n": 4, "c": 8, "p": 40.0, "f": 0.002}
    answers = views.sql("SELECT reason FROM metric_answers WHERE answer IS NOT NULL").collect()
    assert [row["reason"] for row in answers] == ["http_400"]


def test_the_queue_grows_and_shrinks_by_its_messages(views):
    """The depth counts each message once, from queued to its end, replays included."""
    last = views.sql(
        "SELECT feed, max_by(depth, minute) AS depth, sum(came) AS came, sum(went) AS went "
        "FROM metric_queue_depth GROUP BY feed"
    ).collect()
    assert {r["feed"]: (r["depth"], r["came"], r["went"]) for r in last} == {
        "orders": (1, 3, 2),
        "people": (1, 1, 0),
    }


def test_what_waits_is_known_while_drain_is_down(views):
    """Nobody has folded the queue here: what waits is told by the outcomes alone."""
    rows = views.sql("SELECT feed, reason, waiting, oldest_seconds FROM metric_queue").collect()
    assert {(r["feed"], r["reason"], r["waiting"]) for r in rows} == {
        ("orders", "replay", 1),
        ("people", "http_503", 1),
    }
    since = {r["reason"]: r["oldest_seconds"] for r in rows}
    assert since["replay"] < since["http_503"]  # since the replay, not since it died


def test_people_events_and_deletions_are_told_apart(views):
    """A deletion is a track call, and no event that a person did."""
    found = total(
        views,
        "SELECT sum(people) people, sum(events) events, sum(orders) orders, "
        "sum(deletions) deletions FROM metric_business",
    )
    assert found == {"people": 1, "events": 2, "orders": 2, "deletions": 1}


def test_freshness_and_circuits_are_measured(views):
    """Ten minutes from commit to accepted are ten minutes; an opened circuit is seen."""
    fresh = total(views, "SELECT min(p50_s) AS low, max(max_s) AS high FROM metric_freshness")
    assert 600 <= fresh["low"] <= fresh["high"] <= 780
    circuits = total(views, "SELECT sum(opened) o, sum(changes) c FROM metric_circuits")
    assert circuits == {"o": 1, "c": 2}


def test_what_was_never_reported_is_no_row(views):
    """Absent figures stay absent: nought would look like a stream that stands still."""
    assert views.table("metric_progress").count() == 0
    assert views.table("metric_alerts").count() == 0


def test_in_a_schema_every_name_is_qualified():
    """A view on Databricks that names a table without its schema finds another, or none."""
    made = statements(Layout(schema="main.pipeline"), in_schema=True)
    assert "`main`.`pipeline`.`metric_messages`" in made["metric_feeds"]
    assert METRICS.keys() <= made.keys()
    assert create_views(None, Layout(root="somewhere")) == ()


def test_views_in_a_schema_are_there_for_dashboards(spark, tmp_path):
    """On Databricks the dashboards read views by name, which a deploy's set-up makes anew."""
    spark.sql(f"CREATE SCHEMA views_test LOCATION '{tmp_path}'")
    try:
        where = Layout(schema="views_test")
        create_tables(spark, where)
        assert set(create_views(spark, where)) == set(create_views(spark, where)) >= METRICS.keys()
        assert spark.sql("SELECT * FROM views_test.metric_feeds").collect() == []
    finally:
        spark.sql("DROP SCHEMA views_test CASCADE")


def test_each_metric_is_documented_in_its_own_words():
    """A view that the page does not name, or describes otherwise, is one that nobody finds."""
    page = Path("docs/metrics.md").read_text()
    for one in metrics():
        assert f"| `{one.name}` | {one.says} |" in page
