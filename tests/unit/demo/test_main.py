"""The demo's arguments."""

from pathlib import Path

import pytest

from pipeline.demo.__main__ import SMALL, parse


@pytest.mark.parametrize(
    ("text", "rows"), [("all", None), ("small", SMALL), ("500", 500), ("100", 100)]
)
def test_rows(text: str, rows: int | None) -> None:
    """A number of baskets, or a word."""
    assert parse(["--rows", text]).rows == rows


@pytest.mark.parametrize("text", ["99", "-5", "many", "1e3", ""])
def test_rows_that_make_no_show_are_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each scene needs rows, and the refusal says how many."""
    with pytest.raises(SystemExit):
        parse([f"--rows={text}"])

    assert "at least 100" in capsys.readouterr().err


def test_without_arguments_the_small_show_is_left_where_the_settings_look() -> None:
    """`conf/local.yml` has its tables in build/demo."""
    show = parse([])

    assert (show.rows, show.folder) == (SMALL, Path("build/demo"))
    assert "root: build/demo/tables" in show.conf.read_text()
