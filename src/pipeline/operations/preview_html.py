"""A preview as one HTML page that needs nothing beside it."""

import json
from html import escape
from typing import Any, Final

from pipeline.operations.preview import Preview, Shown

WARNING: Final = (
    "Nothing was sent. This page holds rows of the table: share it as you would share those."
)
STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;color:#1f2430;max-width:1200px;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}
p.sub{color:#5c6370;margin:.2rem 0 1rem}
.figures{display:flex;flex-wrap:wrap;gap:.75rem}
.figure{border:1px solid #d8dce4;border-radius:8px;padding:.6rem 1rem;min-width:8rem}
.figure b{display:block;font-size:1.3rem}.figure span{color:#5c6370;font-size:.85rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;
border-bottom:1px solid #e6e9ef;vertical-align:top}th{color:#5c6370;font-weight:500}
td.n{text-align:right;font-variant-numeric:tabular-nums}
.kind{font-weight:600}.sent{color:#176b3a}.dead{color:#a3201d}.skipped{color:#7a5b00}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem;margin:.5rem 0 1.5rem}
pre{background:#f5f6f9;border-radius:6px;padding:.75rem;overflow-x:auto;margin:0;font-size:13px}
.note{background:#fff5dd;border-radius:6px;padding:.6rem .9rem}
@media(max-width:700px){.pair{grid-template-columns:1fr}}
"""


def page(found: Preview) -> str:
    """The page. It holds rows and calls as they are: share it as you would share those."""
    title = f"Preview of feed {found.feed}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            f'<p class="sub">{escape(found.table)}: {escape(found.chosen)}. {WARNING}</p>',
            *_notes(found),
            _figures(found),
            "<h2>What would become of the messages</h2>",
            _tallies(found),
            "<h2>Rows, and the calls that they become</h2>",
            *(_pair(one) for one in found.shown),
            "</body></html>",
            "",
        ]
    )


def _notes(found: Preview) -> list[str]:
    notes = []
    if found.holds:
        notes.append(
            f"deliver would hold this feed instead of sending ({found.holds}): so many "
            "refused rows are a wrong mapping, not bad rows."
        )
    if found.ids_are_examples:
        notes.append("The pipeline's keys were not at hand, so the message ids are examples.")
    return [f'<p class="note">{escape(note)}</p>' for note in notes]


def _figures(found: Preview) -> str:
    figures = [
        (f"{found.changes:,}", "changes" + (f" of {found.total:,}" if _sampled(found) else "")),
        (f"{found.sent:,}", "calls sent"),
        (f"{found.requests:,}", "requests"),
        (f"{found.bytes:,}", "bytes"),
        (f"{found.largest_call:,}", f"bytes of the largest call, at most {found.call_bytes:,}"),
        (f"{found.seconds:,.2f} s", f"at least, at {found.rate:,.0f} requests/s"),
    ]
    if _sampled(found):
        scaled = f"{found.whole(found.requests):,.0f}"
        figures.append((scaled, "requests for all, by the sample"))
    cells = (
        f'<div class="figure"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for value, name in figures
    )
    return f'<div class="figures">{"".join(cells)}</div>'


def _sampled(found: Preview) -> bool:
    return found.changes < found.total


def _tallies(found: Preview) -> str:
    rows = (
        f'<tr><td class="kind {escape(one.kind)}">{escape(one.kind)}</td>'
        f"<td>{escape(one.stage or '')}</td><td>{escape(one.reason or '')}</td>"
        f'<td>{escape(one.detail or "")}</td><td class="n">{one.messages:,}</td>'
        f"<td>{escape(', '.join(one.keys))}</td></tr>"
        for one in found.tallies
    )
    heads = "".join(
        f"<th>{name}</th>"
        for name in ("becomes", "stage", "reason", "field", "messages", "row keys, for example")
    )
    return f"<table><tr>{heads}</tr>{''.join(rows)}</table>"


def _pair(one: Shown) -> str:
    why = " ".join(word for word in (one.stage, one.reason, one.detail) if word)
    call = _json(one.call) if one.call is not None else "no call"
    return (
        f'<div><span class="kind {one.kind}">{one.kind}</span> {escape(why)} '
        f"({escape(one.operation)} of version {one.source_version})</div>"
        f'<div class="pair"><pre>{_json(one.row)}</pre><pre>{call}</pre></div>'
    )


def _json(value: Any) -> str:
    return escape(json.dumps(value, indent=2, ensure_ascii=False))
