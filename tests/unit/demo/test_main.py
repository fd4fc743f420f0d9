"""The demo's arguments."""

from pathlib import Path

import pytest

from pipeline.demo import __main__ as module
from pipeline.demo.__main__ import SMALL, main, parse
from pipeline.demo.children import ChildError
from pipeline.demo.verdict import Received, Verdict


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


def verdict(*disagreements: str) -> Verdict:
    return Verdict(
        books=(),
        received=Received(applied=frozenset(), arrivals=0, dropped={}),
        never_arrived=frozenset(),
        unaccounted=frozenset(),
        disagreements=disagreements,
    )


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        (verdict(), 0),
        (verdict("baskets: the books do not close"), 1),
        (ChildError("deliver ended by itself with status 2"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_the_exit_status_tells_how_it_went(
    ends: Verdict | BaseException, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 only when the books close and the sandbox agrees."""

    def run(*_: object) -> Verdict:
        if isinstance(ends, BaseException):
            raise ends
        return ends

    monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr("sys.argv", ["demo"])
    monkeypatch.setattr("signal.signal", lambda *_: None)

    assert main() == status
