"""Reports of a contract check, as other tools read them."""

from xml.etree.ElementTree import fromstring

from pipeline.operations.contract import CHECKS, Contract, Finding
from pipeline.operations.contract_report import junit, markdown

BAD = Finding(
    check="refused", severity="error", what="a | b <c> `d`\x00", rows=2, keys=('{"id":"x|`y"}',)
)
ODD = Finding(check="near_limit", severity="warning", what="nearly", rows=1)


def made(*findings):
    return Contract(feed="f", file="f.yml", chosen="all", changes=1_000, findings=findings)


def test_junit_has_a_case_a_check_and_fails_for_errors_alone():
    """A CI server that cannot parse the file, or counts a warning as failure, is misled."""
    root = fromstring(junit([made(BAD, ODD), made()]))  # noqa: S314  our own text
    assert (root.get("tests"), root.get("failures")) == (str(2 * len(CHECKS)), "1")
    first, second = root.findall("testsuite")
    assert (first.get("failures"), second.get("failures")) == ("1", "0")
    (failure,) = first.iter("failure")
    assert failure.get("message") == "a | b <c> `d`?"
    assert "2 rows" in str(failure.text)
    assert [out.text for out in first.iter("system-out")] == ["warning: nearly, 1 rows"]
    assert len(list(second.iter("testcase"))) == len(CHECKS)


def test_markdown_cells_stay_in_their_table():
    """A bar, a tag or a line break in a finding would break the table of the pull request."""
    text = markdown([made(BAD), made()])
    assert "1 of 2 are broken" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| error")]
    assert r"a \| b \<c\> \`d\`" in row
    assert row.replace(r"\|", "").count("|") == 5
    assert "all fit" in markdown([made(ODD)])


def test_samples_can_be_left_out():
    """Row keys may be ids of people, and a pull request is read by many."""
    text = markdown([made(BAD).without_samples()])
    assert '"id"' not in text
    assert "| 2 |" in text
