"""A contract check as a JUnit file, and as Markdown for a pull request."""

import re
from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pipeline.operations.contract import CHECKS, Contract, Finding

_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot have, whichever way they are written."""


def junit(contracts: Sequence[Contract]) -> str:
    """JUnit XML: a suite a feed, a case a check; errors are failures, warnings are output."""
    root = Element("testsuites", name="pipeline feed check")
    for one in contracts:
        failed = {f.check for f in one.findings if f.severity == "error"}
        suite = SubElement(
            root,
            "testsuite",
            name=_clean(f"feed.{one.feed}"),
            tests=str(len(CHECKS)),
            failures=str(len(failed)),
            errors="0",
            skipped="0",
        )
        for check, holds in CHECKS.items():
            case = SubElement(
                suite, "testcase", classname=_clean(f"feed.{one.feed}"), name=_clean(holds)
            )
            found = [f for f in one.findings if f.check == check]
            text = _clean("\n".join(line(f) for f in found))
            if check in failed:
                message = _clean(found[0].what)
                SubElement(case, "failure", type=check, message=message).text = text
            elif found:
                SubElement(case, "system-out").text = text
    for figure in ("tests", "failures"):
        root.set(figure, str(sum(int(suite.get(figure, "0")) for suite in root)))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def markdown(contracts: Sequence[Contract]) -> str:
    """A summary for a pull request: a line a feed, then what was found."""
    broken = sum(not one.holds for one in contracts)
    head = f"{broken} of {len(contracts)} are broken" if broken else "all fit"
    lines = [f"## Feed contracts: {head}", "", "| feed | changes | errors | warnings |"]
    lines.append("| --- | ---: | ---: | ---: |")
    for one in contracts:
        errors = sum(_is_error(f) for f in one.findings)
        lines.append(
            f"| {_cell(one.feed)} | {one.changes:,} | {errors} | {len(one.findings) - errors} |"
        )
    for one in contracts:
        if not one.findings:
            continue
        lines += ["", f"### {_cell(one.feed)}", "", _cell(f"Looked at {one.chosen}."), ""]
        lines += ["| | what | rows | row keys, for example |", "| --- | --- | ---: | --- |"]
        for f in one.findings:
            rows = f"{f.rows:,}" if f.rows else ""
            keys = ", ".join(_code(key) for key in f.keys)
            lines.append(f"| {f.severity} | {_cell(f.what)} | {rows} | {keys} |")
    return "\n".join([*lines, ""])


def line(found: Finding) -> str:
    """One finding in one line."""
    rows = f", {found.rows:,} rows" if found.rows else ""
    keys = f", such as {', '.join(found.keys)}" if found.keys else ""
    return f"{found.severity}: {found.what}{rows}{keys}"


def _is_error(found: Finding) -> bool:
    return found.severity == "error"


def _clean(text: str) -> str:
    return _NO_XML.sub("?", text)


def _cell(text: str) -> str:
    """Text that stays in its cell, and that Markdown leaves as it is."""
    flat = " ".join(text.split())
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", flat)


def _code(text: str) -> str:
    flat = " ".join(text.split()).replace("|", "\\|")
    fence = "``" if "`" in flat else "`"
    return f"{fence}{' ' if '`' in flat else ''}{flat}{' ' if '`' in flat else ''}{fence}"
