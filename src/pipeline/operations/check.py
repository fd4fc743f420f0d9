"""Tell for each line of an NDJSON file whether the API would take it as a call."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import BinaryIO, Final, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from pipeline.core.api.check import check_line, over_size
from pipeline.core.api.limits import Limits
from pipeline.core.api.problem import Problem

LINE_BYTES_MAX: Final = 1_048_576
"""A longer line is not read into memory: it is over the limit of a call in any case."""
LINES_A_STEP: Final = 1_000
"""Lines between two moves of the progress bar."""

ACCEPTED: Final = 0
REFUSED: Final = 1


def check_messages(
    source: BinaryIO, *, as_json: bool, limits: Limits, out: TextIO, err: TextIO
) -> int:
    """Write a verdict a line to *out*, in the order of *source*, and a summary.

    Plain output names the refused lines only and ends with the summary. With *as_json* each line
    becomes one object, and the summary goes to *err*. A progress bar goes to *err* when that is a
    terminal. Memory does not grow with the number of lines, nor with their length.

    Returns:
        0 when every line would be accepted, 1 when any was refused.
    """
    stages: Counter[str] = Counter()
    checked = refused = 0
    shown = err.isatty()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(file=err),
        disable=not shown,
        transient=True,
    ) as progress:
        bar = progress.add_task("0 lines", total=length(source))
        write = writer(progress, out, through_bar=shown and out.isatty())
        verdicts = enumerate(read_verdicts(source, limits, progress, bar), start=1)
        while step := list(islice(verdicts, LINES_A_STEP)):
            for number, problems in step:
                refused += bool(problems)
                stages.update(dict.fromkeys((problem.stage for problem in problems), 1))
                if as_json:
                    write(as_object(number, problems))
                elif problems:
                    write(as_text(number, problems))
            checked += len(step)
            progress.update(bar, description=f"{checked:,} lines, {refused:,} refused")
    summary(checked, refused, stages, err if as_json else out)
    return REFUSED if refused else ACCEPTED


def read_verdicts(
    source: BinaryIO, limits: Limits, progress: Progress, bar: TaskID
) -> Iterator[tuple[Problem, ...]]:
    """The problems of each line; a line too long for memory has only that one."""
    longest = max(LINE_BYTES_MAX, limits.call_bytes + 1)
    seen = 0
    while line := source.readline(longest):
        size = len(line)
        if size < longest or line.endswith(b"\n"):
            problems = check_line(line, limits)
        else:
            while not line.endswith(b"\n") and (line := source.readline(longest)):
                size += len(line)
            problems = (over_size(size, limits.call_bytes),)
        seen += size
        if seen >= LINE_BYTES_MAX:
            progress.advance(bar, seen)
            seen = 0
        yield problems
    progress.advance(bar, seen)


def length(source: BinaryIO) -> int | None:
    """Bytes from here to the end, or None for a stream that doesn't know."""
    if not source.seekable():
        return None
    here = source.tell()
    end = source.seek(0, 2)
    source.seek(here)
    return end - here


def writer(progress: Progress, out: TextIO, *, through_bar: bool) -> Callable[[str], object]:
    """How to write a line: above the bar when both share a terminal, else straight to *out*."""
    if through_bar:
        return partial(progress.console.out, highlight=False)
    encoding = out.encoding or "utf-8"

    def write(text: str) -> None:
        out.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")

    return write


def as_object(number: int, problems: tuple[Problem, ...]) -> str:
    """The verdict of a line as one JSON object."""
    listed = [
        {"stage": problem.stage, "field": problem.field, "reason": problem.reason}
        for problem in problems
    ]
    return json.dumps({"line": number, "ok": not problems, "problems": listed})


def as_text(number: int, problems: tuple[Problem, ...]) -> str:
    """The problems of a line for people."""
    return "\n".join(
        f"line {number}: {problem.field or 'the call'}: {problem.reason} [{problem.stage}]\n"
        f"    found {problem.found}, expected {problem.expected}; {problem.page}"
        for problem in problems
    )


def summary(checked: int, refused: int, stages: Counter[str], to: TextIO) -> None:
    """One line: how many were checked, and why how many were refused."""
    reasons = ", ".join(f"{stage} {count:,}" for stage, count in sorted(stages.items()))
    accepted = checked - refused
    to.write(
        f"{checked:,} lines: {accepted:,} ok, {refused:,} refused{reasons and f' ({reasons})'}\n"
    )
