"""Draw docs/pictures/way.svg: the way of the data. `make docs` runs this."""

from html import escape
from pathlib import Path
from typing import Final

TARGET: Final = Path(__file__).parents[1] / "docs" / "pictures" / "way.svg"
WIDTH, HEIGHT = 900, 420
HEAD: Final = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
    ' font-family="system-ui, sans-serif" font-size="14">\n'
    "<title>The way of the data, from a Delta table to Customer.io</title>\n"
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
    ' orient="auto"><path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>\n'
    f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>\n'
)
Box = tuple[int, int, int, int, str, str, tuple[str, ...]]
BOXES: Final[tuple[Box, ...]] = (
    # left, top, width, height, colour, title, words
    (20, 40, 190, 90, "#e8eef4", "Source tables", ("rows that teams write,", "change feed on")),
    (20, 270, 190, 90, "#e8eef4", "Feeds", ("a YAML file a table:", "what a change means")),
    (
        290,
        20,
        260,
        190,
        "#d9e8d8",
        "deliver",
        (
            "net - book - map - slice",
            "seal - pack - send",
            "record: one commit",
            "gate: ill? probe, wait, repeat",
        ),
    ),
    (
        290,
        280,
        260,
        100,
        "#d9e8d8",
        "drain",
        ("folds outcomes into the queue,", "sends what is due, in order"),
    ),
    (640, 20, 240, 80, "#fbe7d3", "Customer.io", ("Data Pipelines API,", "batches up to 500 KB")),
    (640, 150, 240, 90, "#e8eef4", "outcomes", ("accepted, queued, dead,", "skipped, cancelled")),
    (640, 290, 240, 80, "#e8eef4", "retry_queue", ("what waits, encrypted,", "with its order")),
)
ARROWS: Final = (
    ((210, 85), (288, 85)),
    ((210, 300), (288, 190)),
    ((550, 60), (638, 60)),
    ((550, 150), (638, 180)),
    ((760, 240), (760, 288)),
    ((640, 335), (552, 335)),
    ((550, 300), (638, 225)),
    ((550, 285), (650, 102)),
)


def box(one: Box) -> str:
    """A box with its title and words."""
    left, top, width, height, colour, title, words = one
    middle = left + width // 2
    place = f'x="{left}" y="{top}" width="{width}" height="{height}"'
    centred = f'x="{middle}" text-anchor="middle"'
    lines = [
        f'<rect {place} rx="6" fill="{colour}" stroke="#667"/>',
        f'<text {centred} y="{top + 26}" font-weight="bold">{escape(title)}</text>',
    ]
    for number, said in enumerate(words):
        lines.append(f'<text {centred} y="{top + 50 + 22 * number}">{escape(said)}</text>')
    return "\n".join(lines)


def arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    """A line with a tip."""
    return (
        f'<line x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}" stroke="#555"'
        ' stroke-width="1.6" marker-end="url(#tip)"/>'
    )


def main() -> None:
    """Write the picture."""
    parts = [*(box(one) for one in BOXES), *(arrow(*one) for one in ARROWS)]
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(HEAD + "\n".join(parts) + "\n</svg>\n", encoding="utf-8")


if __name__ == "__main__":
    main()
