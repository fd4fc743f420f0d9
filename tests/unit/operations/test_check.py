"""The check of a file: a verdict a line, in order, whatever the lines are."""

import io
import json
import tracemalloc
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.api.check import check_line
from pipeline.core.api.limits import Limits
from pipeline.operations.check import LINE_BYTES_MAX, check_messages

GOOD = b'{"type":"track","userId":"u","event":"e"}'
BAD = b'{"type":"track","event":"e"}'


def run(
    source: bytes, *, as_json: bool = True, limits: Limits | None = None
) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    status = check_messages(
        io.BytesIO(source), as_json=as_json, limits=limits or Limits(), out=out, err=err
    )
    return status, out.getvalue(), err.getvalue()


def test_one_object_a_line_in_the_order_of_the_input() -> None:
    """With --json: line, ok and problems, each with stage, field and reason."""
    status, out, err = run(b"\n".join((GOOD, BAD, b"{", GOOD)))
    verdicts = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert verdicts == [
        {"line": 1, "ok": True, "problems": []},
        {
            "line": 2,
            "ok": False,
            "problems": [
                {
                    "stage": "validate",
                    "field": "userId",
                    "reason": "a track call needs a userId, an anonymousId or a groupId",
                }
            ],
        },
        {
            "line": 3,
            "ok": False,
            "problems": [
                {
                    "stage": "decode",
                    "field": "",
                    "reason": "is not JSON: EOF while parsing an object at line 1 column 1",
                }
            ],
        },
        {"line": 4, "ok": True, "problems": []},
    ]
    assert err == "4 lines: 2 ok, 2 refused (decode 1, validate 1)\n"


def test_plain_output_names_refused_lines_and_ends_with_the_summary() -> None:
    """A person reads line, field, reason, what was found and what is expected."""
    status, out, err = run(GOOD + b"\r\n" + BAD + b"\r\n", as_json=False)
    assert status == 1
    assert out.splitlines() == [
        "line 2: userId: a track call needs a userId, an anonymousId or a groupId [validate]",
        "    found null, expected an id; https://docs.customer.io/integrations/api/cdp/",
        "2 lines: 1 ok, 1 refused (validate 1)",
    ]
    assert err == ""


def test_all_good_is_status_zero() -> None:
    """Nothing refused, also where there is nothing."""
    assert run(GOOD + b"\n" + GOOD + b"\n")[0] == 0
    assert run(b"") == (0, "", "0 lines: 0 ok, 0 refused\n")


def test_limits_are_those_given() -> None:
    """A setting of the caller decides."""
    assert run(GOOD, limits=Limits(call_bytes=len(GOOD)))[0] == 0
    assert run(GOOD, limits=Limits(call_bytes=len(GOOD) - 1))[0] == 1


def test_a_line_too_long_for_memory_is_refused_by_its_size_and_the_next_is_read() -> None:
    """Its bytes are counted and not kept."""
    status, out, _ = run(b"x" * (3 * LINE_BYTES_MAX) + b"\n" + GOOD + b"\n")
    first, second = (json.loads(line) for line in out.splitlines())
    assert status == 1
    assert [problem["stage"] for problem in first["problems"]] == ["size"]
    assert second == {"line": 2, "ok": True, "problems": []}


@settings(max_examples=150, deadline=None)
@given(lines=st.lists(st.binary(max_size=40) | st.sampled_from([GOOD, BAD]), max_size=8))
def test_any_bytes_get_one_verdict_a_line(lines: list[bytes]) -> None:
    """As many verdicts as lines, each that of its line; the status says if any was refused."""
    text = b"\n".join(lines)
    expected = [not check_line(line) for line in io.BytesIO(text)]
    status, out, _ = run(text)
    verdicts = [json.loads(line) for line in out.splitlines()]
    assert [verdict["ok"] for verdict in verdicts] == expected
    assert [verdict["line"] for verdict in verdicts] == list(range(1, len(expected) + 1))
    assert status == (0 if all(expected) else 1)


class Repeated(io.RawIOBase):
    """A stream of one line over and over, that can't be asked for its length."""

    def __init__(self, line: bytes, times: int) -> None:
        self._line, self._left = line, times

    def readable(self) -> bool:
        return True

    def readline(self, size: int | None = -1, /) -> bytes:
        del size
        if not self._left:
            return b""
        self._left -= 1
        return self._line


class Discarded(io.StringIO):
    """Text that nobody keeps."""

    def write(self, text: str, /) -> int:
        return len(text)

    def writelines(self, lines: Iterable[str], /) -> None:
        del lines


def peak(times: int) -> int:
    source = Repeated(BAD + b"\n", times)
    tracemalloc.start()
    check_messages(source, as_json=True, limits=Limits(), out=Discarded(), err=io.StringIO())
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return used


def test_memory_does_not_grow_with_the_number_of_lines() -> None:
    """Ten times the lines take no more memory."""
    peak(100)
    assert peak(8_000) < 2 * peak(2_000)


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_how_far_it_is() -> None:
    """The bar goes to standard error, and the verdicts stay whole."""
    out, err = io.StringIO(), Terminal()
    source = io.BytesIO((GOOD + b"\n") * 2_500)
    assert check_messages(source, as_json=True, limits=Limits(), out=out, err=err) == 0
    assert "lines" in err.getvalue()
    assert len(out.getvalue().splitlines()) == 2_500


def test_one_terminal_for_both_shows_refusals_above_the_bar() -> None:
    """They share the screen, so the refusals go through the bar's console."""
    out, err = Terminal(), Terminal()
    status = check_messages(io.BytesIO(BAD), as_json=False, limits=Limits(), out=out, err=err)
    assert status == 1
    assert "line 1: userId" in err.getvalue()
    assert "1 refused" in out.getvalue()


def test_a_name_that_the_output_cannot_write_is_escaped() -> None:
    """Neither an old encoding nor a control character stops or garbles the check."""
    buffer = io.BytesIO()
    out = io.TextIOWrapper(buffer, encoding="ascii")
    line = '{"type":"track","userId":"u","event":"e","sch\u00f6n":1,"\\u001b[2J":1}'.encode()
    check_messages(io.BytesIO(line), as_json=False, limits=Limits(), out=out, err=io.StringIO())
    out.flush()
    assert b"\\xf6" in buffer.getvalue()
    assert b"\x1b" not in buffer.getvalue()
