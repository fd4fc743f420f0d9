"""The dashboard with keys alone, in a real browser: who is woken may have no mouse at hand."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.operations.dashboard.fill import Filled
from pipeline.operations.dashboard.page import headline, main, page
from pipeline.operations.dashboard.read import read_dashboards

from .browser import CHROMIUM, browsing

AT = datetime(2026, 11, 23, 3, 30, tzinfo=UTC)
VALUES = {"temporal": AT, "quantitative": 40, "categorical": "one"}
FOCUS = """(() => {
  const one = document.activeElement, box = one.getBoundingClientRect();
  const style = getComputedStyle(one);
  return {tag: one.tagName, text: (one.getAttribute('aria-label') || one.innerText).slice(0, 40),
    class: one.className, seen: box.width > 0 && box.left >= 0 && box.top < innerHeight,
    outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2};
})()"""
IN_ORDER = """[...document.querySelectorAll('a[href], summary, .scroll')]
  .filter(one => !one.closest('details:not([open]) > :not(summary)')).length"""
OPEN = "document.activeElement.parentElement.open"
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on PATH")


def html():
    """All dashboards with a row in each table and chart, as a page that can be mailed."""
    dashboards = read_dashboards(Path("bundles/dashboards"))
    filled = [
        Filled(
            dashboard=one,
            at=AT,
            rows={
                w.name: (
                    {
                        field: 1
                        if w.kind == "counter"
                        else VALUES.get({c.field: c.scale for c in w.columns}.get(field, ""), "a")
                        for field in w.fields
                    },
                )
                for w in one.widgets
            },
        )
        for one in dashboards
    ]
    said = headline(filled[0])
    content = "".join(main(one, said) for one in filled)
    return page("test", dashboards, content, here="overview", live=None)


async def test_everything_is_reached_seen_and_opened_with_keys(tmp_path):
    """What only a mouse opens, or a focus that nobody sees, is lost on whoever uses keys."""
    file = tmp_path / "page.html"
    file.write_text(html())
    async with browsing(file.as_uri(), tmp_path) as browser:
        await browser.press("Tab")
        first = await browser.tells(FOCUS)
        assert (first["text"], first["seen"]) == ("To the content", True)
        reachable = await browser.tells(IN_ORDER)
        assert reachable > 15
        visited = [first]
        for _ in range(reachable - 1):
            await browser.press("Tab")
            visited.append(await browser.tells(FOCUS))
        assert [one for one in visited if not (one["seen"] and one["outlined"])] == []
        assert [one["tag"] for one in visited[1:5]] == ["A"] * 4, "the four dashboards come first"
        assert {"SUMMARY", "DIV"} <= {one["tag"] for one in visited}
        while (await browser.tells(FOCUS))["tag"] != "SUMMARY":
            await browser.press("Tab", shift=True)
        assert await browser.tells(OPEN) is False
        await browser.press("Enter")
        assert await browser.tells(OPEN) is True
        await browser.press("Tab")
        figures = await browser.tells(FOCUS)
        assert (figures["tag"], figures["class"]) == ("DIV", "scroll")
        await browser.tells("document.querySelector('.skip').focus()")
        await browser.press("Enter")
        assert await browser.tells("location.hash") == "#main"
        assert (await browser.tells(FOCUS))["tag"] == "MAIN"
