"""The dashboard files as Databricks wants them, and as they are drawn here. No Spark."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.operations.dashboard.chart import draw, specification
from pipeline.operations.dashboard.fill import Filled, widget_sql
from pipeline.operations.dashboard.page import aged, headline, main, page, text
from pipeline.operations.dashboard.read import DashboardError, read_dashboard, read_dashboards

FOLDER = Path("bundles/dashboards")
DASHBOARDS = read_dashboards(FOLDER)
VERSIONS = {"counter": 2, "table": 2, "bar": 3, "line": 3, "area": 3}
"""Of a widget's spec, as in the dashboards that Databricks itself publishes."""
AT = datetime(2026, 11, 23, 3, 30, tzinfo=UTC)
each = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one.name)


def sample(widget):
    """Two rows for a widget."""
    values = {"temporal": (AT, AT), "quantitative": (3, 40), "categorical": ("one", "two")}
    columns = {c.field: c.scale for c in widget.columns}
    return tuple(
        {field: values.get(columns.get(field, ""), ("a", "b"))[n] for field in widget.fields}
        for n in (0, 1)
    )


def filled(dashboard, **counters):
    rows = {w.name: sample(w) for w in dashboard.widgets if w.kind != "counter"}
    for widget in dashboard.widgets:
        if widget.kind == "counter":
            field = widget.columns[0].field
            rows[widget.name] = ({field: counters.get(field, 0)},)
    return Filled(dashboard=dashboard, rows=rows, at=AT)


def test_there_are_the_four_and_the_overview_is_first():
    """Who is woken opens the first page."""
    names = [one.name for one in DASHBOARDS]
    assert names == ["overview", "deliveries", "quality", "business"]


@each
def test_each_widget_names_what_is_there(dashboard):
    """A dataset or a field that is not there is an empty tile on Databricks, without a word."""
    names = [w.name for w in dashboard.widgets]
    assert len(names) == len(set(names))
    for widget in dashboard.widgets:
        assert widget.dataset in dashboard.datasets
        for column in widget.columns:
            assert column.field in widget.fields, (widget.name, column.field)
            assert column.title


@each
def test_the_files_are_as_databricks_writes_them(dashboard):
    """Widget versions, six columns, no widget over another, tables by their bare names."""
    content = json.loads((FOLDER / f"{dashboard.name}.lvdash.json").read_text())
    taken = set()
    for placed in content["pages"][0]["layout"]:
        spec = placed["widget"]["spec"]
        assert spec["version"] == VERSIONS[spec["widgetType"]]
        at = placed["position"]
        cells = {
            (at["x"] + x, at["y"] + y) for x in range(at["width"]) for y in range(at["height"])
        }
        assert max(x for x, _ in cells) < 6
        assert not cells & taken, placed["widget"]["name"]
        taken |= cells
    for sql in dashboard.datasets.values():
        assert "." not in sql.replace("1e6", "").partition("FROM")[2].split("WHERE")[0]


@each
def test_a_page_is_drawn_whole_without_anything_from_outside(dashboard):
    """A page that needs a network, or another file, is blank when it matters."""
    content = main(filled(dashboard), ("good", "All is well"))
    html = page("prod", DASHBOARDS, content, here=dashboard.name, live=None)
    assert not [word for word in ("https://", "@import", "url(", " src=") if word in html]
    assert html.count("http://") == html.count("http://www.w3.org/")  # names of SVG, not links
    assert "<script" not in html
    for widget in dashboard.widgets:
        assert widget.title in html
    charts = sum(w.kind in {"bar", "line", "area"} for w in dashboard.widgets)
    assert html.count('<svg role="img"') == charts
    assert html.count("<summary>Figures</summary>") == charts
    _Balanced().feed(html)


class _Balanced(HTMLParser):
    """Tags that open also close."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, _attributes):
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, _attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("minutes", [1, 2, 5, 300])
@pytest.mark.parametrize("names", [1, 9])
def test_charts_are_drawn_of_few_and_of_many(minutes, names):
    """One minute of one feed, and five hours of nine, each with ticks that differ."""
    for widget in DASHBOARDS[0].widgets:
        if widget.kind in {"bar", "line"}:
            x, y, color = (c.field for c in widget.columns)
            rows = [
                {x: AT + timedelta(minutes=m), y: m + n, color: f"feed_{n}"}
                for m in range(minutes)
                for n in range(names)
            ]
            axis = specification(widget, rows)["encoding"]["x"]["axis"]
            assert 1 <= len(axis["values"]) <= 9
            assert draw(widget, rows).count("<path") > names


def test_the_headline_says_whether_it_is_well():
    """One glance: green only where it is known that nothing fires and nothing holds."""
    overview = DASHBOARDS[0]
    assert headline(filled(overview))[0] == "good"
    assert headline(filled(overview, alerts=2, holds=1)) == (
        "bad",
        "2 alerts fire, 1 hold: a of a, b of b",
    )
    alarmed = filled(overview, alerts=5)
    table = next(w for w in overview.widgets if "alert" in w.fields)
    rows = tuple(dict.fromkeys(table.fields) | {"alert": f"a{n}"} for n in range(5))
    alarmed = Filled(dashboard=overview, rows={**alarmed.rows, table.name: rows}, at=AT)
    assert headline(alarmed)[1] == "5 alerts fire: a0, a1, a2 and 2 more"
    assert headline(None)[0] == "quiet"


def test_what_was_well_a_while_ago_is_not_green():
    """A screen that cannot read the tables any more would say all night that all is well."""
    well = main(filled(DASHBOARDS[0]), headline(filled(DASHBOARDS[0])))
    assert 'class="said good"' in aged(well, timedelta(seconds=50))
    old = aged(well, timedelta(minutes=4))
    assert 'class="said good"' not in old
    assert "Read 4 m ago: All is well" in old


def test_values_from_tables_are_never_markup():
    """A server's words or a feed's name must not become a script on this page."""
    deliveries = next(one for one in DASHBOARDS if one.name == "deliveries")
    table = next(w for w in deliveries.widgets if w.kind == "table")
    rows = {table.name: (dict.fromkeys(table.fields, "<script>alert(1)</script>"),)}
    html = main(Filled(dashboard=deliveries, rows=rows, at=AT), ("good", "x"))
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    chart = next(w for w in deliveries.widgets if w.kind == "bar")
    field = chart.columns[2].field
    svg = draw(chart, [row | {field: "<script>alert(1)</script>"} for row in sample(chart)])
    assert "<script>" not in svg


def test_what_is_not_known_is_a_dash_and_not_nought():
    """Nought is a figure; a dash says that there is none."""
    assert [text(v) for v in (None, 0, 1234, 2.0, 2.5, Decimal("1.50"), True, "x")] == [
        "-", "0", "1,234", "2", "2.5", "1.5", "yes", "x",
    ]  # fmt: skip
    assert text(AT) == "11-23 03:30:00"


def test_good_and_bad_have_their_colours_everywhere():
    """Accepted is never red, whatever else is on the chart."""
    deliveries = next(one for one in DASHBOARDS if one.name == "deliveries")
    chart = next(w for w in deliveries.widgets if w.columns and w.columns[-1].field == "kind")
    rows = [{"minute": AT, "messages": 1, "kind": kind} for kind in ("accepted", "dead", "other")]
    scale = specification(chart, rows)["encoding"]["color"]["scale"]
    assert dict(zip(scale["domain"], scale["range"], strict=True)) == {
        "accepted": "var(--good)",
        "dead": "var(--bad)",
        "other": "var(--c1)",
    }


def test_a_widget_asks_as_databricks_asks():
    """Expressions of a widget are run over its dataset, grouped where it aggregates."""
    widget = DASHBOARDS[0].widgets[0]
    sql = widget_sql("SELECT 1 AS alerts", widget)
    assert sql == "SELECT `alerts` AS `alerts` FROM (SELECT 1 AS alerts)"


def test_what_is_no_dashboard_is_refused_by_name(tmp_path):
    """The message names the file and what to do."""
    with pytest.raises(DashboardError, match="--files"):
        read_dashboards(tmp_path)
    broken = tmp_path / "broken.lvdash.json"
    broken.write_text('{"datasets": []}')
    with pytest.raises(DashboardError, match=r"broken\.lvdash\.json"):
        read_dashboard(broken)
