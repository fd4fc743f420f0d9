"""Write what was measured into docs/speed.md: two tables and a picture.

Run: python benchmarks/page.py, after make bench. Reads build/bench.json and
build/bench-details.json; replaces what stands between the page's markers.
"""

import json
import re
import statistics
from pathlib import Path
from typing import Any

import vl_convert
from measure import WARM

PAGE = Path("docs/speed.md")
PICTURE = Path("docs/pictures/speed.svg")
REQUESTS_A_SECOND = 1_000
"""The API's limit: 3,000 requests in 3 seconds."""
BATCH_BYTES = 500_000
CORE_HOUR = 0.15
"""US dollars; an assumption that the page names."""


def targets(rows: list[dict[str, Any]]) -> str:
    """The table of targets."""
    lines = ["| target | measured | wanted | |", "| --- | --- | --- | --- |"]
    for row in rows:
        sign = "at most" if row["most"] else "at least"
        word = "met" if row["met"] else "not met"
        lines.append(
            f"| {row['id'].replace('_', ' ')} | {row['measured']:.2f} {row['unit']} "
            f"| {sign} {row['target']:g} | {word} |"
        )
    return "\n".join(lines)


def medians(details: dict[str, Any]) -> dict[str, float]:
    """Warm events a second by contestant, fastest first."""
    found = {
        name: statistics.median(rounds[WARM:] if len(rounds) > WARM else rounds)
        for name, rounds in details["figures"].items()
    }
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def figures(found: dict[str, float]) -> str:
    """The table of contestants."""
    rows = [f"| {name} | {_rounded(figure):,} |" for name, figure in found.items()]
    return "\n".join(["| what | events/s |", "| --- | --- |", *rows])


def _rounded(figure: float) -> int:
    """Three digits are more than a noisy machine can tell."""
    return int(float(f"{figure:.3g}"))


def picture(found: dict[str, float]) -> str:
    """Bars on a logarithmic axis, as SVG."""
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 420,
        "data": {"values": [{"what": n, "events": _rounded(v)} for n, v in found.items()]},
        "mark": {"type": "bar", "tooltip": True},
        "encoding": {
            "y": {"field": "what", "type": "nominal", "sort": "-x", "title": None,
                  "axis": {"labelLimit": 300}},
            "x": {"field": "events", "type": "quantitative", "scale": {"type": "log"},
                  "title": "events a second, warm (logarithmic)"},
        },
    }  # fmt: skip
    svg: str = vl_convert.vegalite_to_svg(spec)
    return svg


def scale(details: dict[str, Any], found: dict[str, float]) -> str:
    """What clusters would deliver, calculated from one machine's figures and the API's limit."""
    a_core = found["the pipeline"] / details["cores"]
    bytes_each = details["facts"]["bytes_per_event"]
    limit = REQUESTS_A_SECOND * BATCH_BYTES / bytes_each
    lines = [
        (
            f"One core delivers {_rounded(a_core):,} events/s of {bytes_each:.0f} bytes. The "
            f"API takes {REQUESTS_A_SECOND:,} requests a second of {BATCH_BYTES:,} bytes, which is "
            f"{_rounded(limit):,} such events/s: the limit of {limit / a_core:.0f} cores."
        ),
        "",
        "| workers of 4 cores | events/s | requests/s | a million events takes |",
        "| --- | --- | --- | --- |",
    ]
    for workers in (1, 2, 4, 8, 16):
        rate = min(workers * 4 * a_core, limit)
        lines.append(
            f"| {workers} | {_rounded(rate):,} | {_rounded(rate * bytes_each / BATCH_BYTES):,} "
            f"| {1e6 / rate:.1f} s |"
        )
    seconds = 1e6 / a_core
    lines += [
        "",
        (
            f"A million events takes {seconds:.0f} seconds of one core, wherever it runs: at "
            f"{CORE_HOUR:.2f} US dollars for a core and hour, machine and DBUs together, "
            f"{seconds * CORE_HOUR / 3600:.4f} dollars. Put in your own price; a stream that "
            "waits for work costs its machine's hours, whatever it sends."
        ),
    ]
    return "\n".join(lines)


def replaced(page: str, name: str, text: str) -> str:
    """The page with *text* between the markers of *name*."""
    begin, end = f"<!-- {name}: made by benchmarks/page.py -->", f"<!-- end of {name} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    new, count = pattern.subn(lambda _: f"{begin}\n{text}\n{end}", page)
    if count != 1:
        raise SystemExit(f"{PAGE}: there is no place for {name!r}: two markers, once")
    return new


def main() -> None:
    """Write page and picture."""
    rows = json.loads(Path("build/bench.json").read_text(encoding="utf-8"))
    details = json.loads(Path("build/bench-details.json").read_text(encoding="utf-8"))
    found = medians(details)
    said = "Measured on " + "; ".join(
        f"{run['measured_at'][:10]} with `{run['command']}`" for run in details["runs"]
    )
    said += f": {details['machine']}, Python {details['python']}."
    page = PAGE.read_text(encoding="utf-8")
    page = replaced(page, "where", said)
    page = replaced(page, "targets", targets(rows))
    page = replaced(page, "figures", figures(found))
    page = replaced(page, "scale", scale(details, found))
    PAGE.write_text(page, encoding="utf-8")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(picture(found), encoding="utf-8")


if __name__ == "__main__":
    main()
