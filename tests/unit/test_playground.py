"""Where a notebook's secrets come from, and what it sees of a command."""

import os
import sys
from types import SimpleNamespace

import pytest

from pipeline import playground


@pytest.fixture
def runtime(monkeypatch):
    """Databricks, as far as a notebook can tell: its secrets, by scope and name."""
    held = {("customerio", "write_key"): "from-the-scope"}
    secrets = SimpleNamespace(get=lambda scope, name: held[scope, name])
    module = SimpleNamespace(dbutils=SimpleNamespace(secrets=secrets))
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    monkeypatch.setitem(sys.modules, "databricks.sdk.runtime", module)


@pytest.mark.usefixtures("runtime")
def test_a_secret_comes_from_its_scope_on_databricks(monkeypatch):
    """A notebook would send with a key that somebody left in the cluster's environment."""
    monkeypatch.setenv("CUSTOMERIO_WRITE_KEY", "from-the-environment")
    assert playground.secret("write_key").get_secret_value() == "from-the-scope"
    assert playground.secret("another") is None


def test_a_secret_comes_from_the_environment_elsewhere(monkeypatch):
    """A notebook on one machine would find no key, or an empty one."""
    monkeypatch.delenv("DATABRICKS_RUNTIME_VERSION", raising=False)
    monkeypatch.setenv("CUSTOMERIO_WRITE_KEY", "from-the-environment")
    found = playground.secret("write_key")
    assert found.get_secret_value() == "from-the-environment"
    assert "environment" not in repr(found)
    monkeypatch.setenv("CUSTOMERIO_WRITE_KEY", "")
    assert playground.secret("write_key") is None


def test_a_command_shows_its_refusal_and_keeps_its_log_to_itself(capsys):
    """A reader would see lines of a log instead of what was wrong, or nothing."""
    assert playground.run("pipeline status --conf nowhere.yml") == 2
    said = capsys.readouterr()
    assert "nowhere.yml" in said.out
    assert said.err == ""


def test_a_notebook_runs_commands_of_the_pipeline_alone():
    """A notebook could not run on Databricks what a shell of one machine had."""
    with pytest.raises(ValueError, match="begins with `pipeline`"):
        playground.run("ls /")


def test_what_a_command_was_set_is_not_set_for_the_next(monkeypatch, capsys):
    """Small requests that one cell asked for would stay small in all cells after it."""
    monkeypatch.setenv("PIPELINE__DELIVERY__LANES", "7")
    given = "limits.batch_bytes=33000,delivery.lanes=1"
    assert playground.run(f"pipeline --set {given} status --conf nowhere.yml") == 2
    assert playground.run(f"pipeline --set {given} check --help") == 0
    capsys.readouterr()
    assert "PIPELINE__LIMITS__BATCH_BYTES" not in os.environ
    assert os.environ["PIPELINE__DELIVERY__LANES"] == "7"
