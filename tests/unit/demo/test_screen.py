"""What a watcher sees."""

import io
from dataclasses import replace

from rich.console import Console

from pipeline.demo.screen import Lines, draw, screen
from pipeline.demo.stage import FeedLine, Picture

PICTURE = Picture(
    seconds=12.0,
    scene="outage",
    says="503: the service is down.",
    feeds=(FeedLine(feed="baskets", written=20_036, counts={"accepted": 15_000, "queued": 7}),),
    rate=1234.4,
    queued=7,
    waiting=5036,
    circuits={"deliver": "open"},
    holds={"baskets": "circuit_open"},
    received=15_000,
    repeats=3,
    answers={"200": 40, "503": 9},
    said=("baskets: slice.held",),
)


def printed(width: int = 100) -> Console:
    return Console(file=io.StringIO(), width=width)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_picture_has_all_that_matters() -> None:
    """Counts, rate, queue, circuit, holds and the destination's answers, in 80 columns."""
    console = printed(80)

    console.print(draw(PICTURE))

    found = text(console)
    for words in ("503: the service is down.", "20,036", "15,000", "1,234 accepted a second"):
        assert words in found
    for words in ("deliver open", "baskets circuit_open", "3 repeats", "9 x 503", "slice.held"):
        assert words in found


def test_without_a_terminal_a_scene_is_one_line() -> None:
    """A log of a run has each scene once, and a line of figures only now and then."""
    console = printed()
    with screen(console) as shown:
        assert isinstance(shown, Lines)
        for seconds in (0.0, 0.2, 0.4, 1.0, 5.3, 5.5):
            shown.show(replace(PICTURE, seconds=seconds))
        shown.show(replace(PICTURE, seconds=6.0, says="Over."))

    lines = text(console).splitlines()

    assert [line.split()[0] for line in lines] == ["0.0", "0.2", "5.3", "6.0"]
    assert lines[-1].endswith("outage: Over.")
