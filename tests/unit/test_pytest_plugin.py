"""A feed's contract as tests."""

from importlib.metadata import entry_points

from pipeline import pytest_plugin
from pipeline.operations.contract import CHECKS, Finding

pytest_plugins = ["pytester"]
INSTALLED = {one.value for one in entry_points(group="pytest11")}
NAMED = () if "pipeline.pytest_plugin" in INSTALLED else ("-p", "pipeline.pytest_plugin")
"""Installed anew since the plugin is there, pytest finds it by itself."""


def ran(pytester, monkeypatch, findings, *options):
    looked = []

    def look(feed, conf, sample):
        looked.append((feed, str(conf), sample))
        if isinstance(findings, Exception):
            raise findings
        return findings

    monkeypatch.setattr(pytest_plugin, "look", look)
    given = (*NAMED, "-p", "no:cacheprovider", "-p", "no:asyncio")
    return pytester.runpytest_inprocess(*given, *options), looked


FOUND = [
    Finding(check="key_null", severity="error", what="id is null or blank", rows=2, keys=("a",)),
    Finding(check="event_in_future", severity="warning", what="it is to come", rows=1),
]


def test_each_check_is_a_test_and_the_rows_are_read_once(pytester, monkeypatch):
    """A team would see one red line for all, or wait for Spark nine times."""
    found, looked = ran(pytester, monkeypatch, FOUND, "--pipeline-feed", "people")
    found.assert_outcomes(passed=len(CHECKS) - 1, failed=1)
    found.stdout.fnmatch_lines(["*error: id is null or blank, 2 rows, such as a*"])
    found.stdout.fnmatch_lines(["*ContractWarning: warning: it is to come, 1 rows*"])
    assert looked == [("people", "conf/local.yml", None)]


def test_nothing_is_looked_at_unless_a_feed_is_named(pytester, monkeypatch):
    """The plugin would start Spark in every test run of whoever installed the package."""
    pytester.makepyfile("def test_own(): pass")
    found, looked = ran(pytester, monkeypatch, FOUND)
    found.assert_outcomes(passed=1)
    assert looked == []


def test_other_tests_run_only_where_they_are_named(pytester, monkeypatch):
    """Who wants to know about a feed would wait for all tests of the repository."""
    own = pytester.makepyfile("def test_own(): pass")
    found, _ = ran(pytester, monkeypatch, [], "--pipeline-feed", "people")
    found.assert_outcomes(passed=len(CHECKS))
    found, _ = ran(pytester, monkeypatch, [], "--pipeline-feed", "people", own)
    found.assert_outcomes(passed=len(CHECKS) + 1)


def test_a_refusal_is_told_in_its_words(pytester, monkeypatch):
    """A misspelt feed would end in a page of stack trace."""
    from pipeline.core.feed_model import FeedError

    error = FeedError("people: no such feed")
    found, _ = ran(pytester, monkeypatch, error, "--pipeline-feed", "people")
    found.assert_outcomes(failed=len(CHECKS))
    assert "Traceback" not in found.stdout.str()
    assert "pytest_plugin.py" not in found.stdout.str()
