"""The dashboards' SQL on tables with a known history, and the page in a browser."""

import shutil
import subprocess
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from pipeline.operations.dashboard import fill as filling
from pipeline.operations.dashboard.fill import fill, widget_sql
from pipeline.operations.dashboard.read import read_dashboards
from pipeline.operations.dashboard.serve import Board, application, once
from pipeline.settings import Settings
from pipeline.tables.alerts import Alert, alert

DASHBOARDS = read_dashboards(Path("bundles/dashboards"))
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def settings(spark, where):
    """The tables of the other tests here, with an alert that fires."""
    alert(
        spark,
        where,
        Alert(
            alert="queue.old",
            severity="warning",
            metric="oldest_seconds",
            value=1_000,
            expected="at most 15 m",
            detail="7 messages wait",
            feed="orders",
            state="firing",
        ),
    )
    return Settings(target="prod", tables={"root": where.root, "checkpoints": "unused"})


@pytest.fixture(scope="module")
def html(spark, settings):
    return once(spark, settings, DASHBOARDS)


def test_every_dataset_runs_and_has_every_widgets_fields(spark, where):
    """A dataset that does not run, or lacks a field, is an empty tile on a wall."""
    for dashboard in DASHBOARDS:
        filled = fill(spark, where, dashboard)
        for widget in dashboard.widgets:
            rows = filled.rows[widget.name]
            assert all(set(row) == set(widget.fields) for row in rows), widget.name
        one = dashboard.widgets[0]
        spark.sql(widget_sql(dashboard.datasets[one.dataset], one)).collect()


def test_the_page_says_what_an_operator_looks_for(html):
    """The alert, what waits and what died stand in the page, from the tables themselves."""
    assert "1 alert fires" in html
    assert "7 messages wait" in html
    assert "docs/runbook.md#queueold" in html
    for words in ("http_503", "attempts_exhausted", "id_missing", "[value] is wrong"):
        assert words in html


async def test_live_pages_are_served_from_what_was_drawn_last(spark, settings):
    """A request reads no table: a hundred watchers cost the streams nothing."""
    board = Board(spark, settings, DASHBOARDS)
    async with TestClient(TestServer(application(board, 7))) as client:
        first = await (await client.get("/")).text()
        assert "Reading the tables" in first
        assert 'data-seconds="7"' in first
        board.drawn = {"overview": "<p>drawn</p>"}
        part = await client.get("/overview", headers={"X-Part": "main"})
        assert await part.text() == "<p>drawn</p>"
        answer = await client.get("/deliveries")
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert (await client.get("/nothing")).status == 404


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on PATH")
@pytest.mark.parametrize("size", ["390,844", "1600,1000"], ids=["phone", "wall"])
def test_a_browser_draws_it_without_scrolling_sideways(html, tmp_path, size):
    """On a phone at night: everything is there, and nothing is cut off at the right."""
    measure = (
        "<script>document.title = String(document.documentElement.scrollWidth <= innerWidth)"
        "</script>"
    )
    file = tmp_path / "page.html"
    file.write_text(html.replace("</body>", f"{measure}</body>"))
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={size}",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", file.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )  # fmt: skip
    assert "<title>true</title>" in done.stdout
    assert done.stdout.count("<svg") >= 10


def test_a_page_is_of_one_moment(spark, where, settings, monkeypatch):  # noqa: ARG001
    """A counter would say that no alert fires, and the table below it that one does."""
    overview = next(one for one in DASHBOARDS if one.name == "overview")
    counter, table = (
        next(widget.name for widget in overview.widgets if widget.title == title)
        for title in ("Alerts firing", "Alerts that fire")
    )
    read, after = filling._collected, []

    def late(session, sql):
        if not after:  # an alert fires while the page is read
            after.append(Alert(
                alert="api.slow", severity="warning", metric="p95_ms", value=1, expected="0",
                detail="late", feed="orders", state="firing",
            ))  # fmt: skip
            alert(session, where, after[0])
        return read(session, sql)

    monkeypatch.setattr(filling, "_collected", late)
    rows = fill(spark, where, overview).rows
    assert after
    assert len(rows[table]) == next(iter(rows[counter][0].values())) == 1
    rows = fill(spark, where, overview).rows
    assert len(rows[table]) == next(iter(rows[counter][0].values())) == 2
