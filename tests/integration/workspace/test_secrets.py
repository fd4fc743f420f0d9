"""Keys in a secret scope: through the real SDK, over HTTP, from a stand-in workspace."""

import base64

import pytest

from pipeline.cli import main
from pipeline.keys import KeysError, load_keys
from pipeline.keys.store import init, put
from pipeline.settings import Keys

from .serve import running_workspace

KEYS = Keys(source="scope", scope="pipe")


@pytest.fixture
def workspace(monkeypatch, tmp_path):
    with running_workspace() as running:
        monkeypatch.setenv("DATABRICKS_HOST", running.host)
        monkeypatch.setenv("DATABRICKS_TOKEN", "stand-in")
        monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))
        running.workspace.scopes["pipe"] = {}
        yield running.workspace


@pytest.fixture
def conf(tmp_path):
    path = tmp_path / "dev.yml"
    path.write_text("tables: {root: t, checkpoints: c}\nkeys: {source: scope, scope: pipe}\n")
    return path


def test_keys_are_made_once_and_read(workspace, conf, monkeypatch, capsys):
    """A second init that made another hashing key would give repeats new ids."""
    monkeypatch.setattr("sys.stdin.readline", lambda: "write-key\n", raising=False)
    main(["key", "init", "--conf", str(conf)])
    main(["key", "set", "--conf", str(conf)])
    held = dict(workspace.scopes["pipe"])
    main(["key", "init", "--conf", str(conf)])
    assert workspace.scopes["pipe"] == held
    said = capsys.readouterr()
    assert "made encryption_key and hashing_key" in said.out
    assert "nothing to make" in said.out
    assert base64.b64decode(held["api_key"]) == b"write-key"
    assert load_keys(KEYS).api_key.get_secret_value() == "write-key"
    for value in held.values():
        for text in (value, base64.b64decode(value).decode()):
            assert text not in said.out + said.err


def test_the_scope_that_is_not_there_says_what_makes_it(workspace):
    """A person who set the key before the deploy learns the order."""
    workspace.scopes.clear()
    with pytest.raises(KeysError, match="there is no such scope; the bundle's deploy makes it"):
        put(KEYS, {"api_key": "k"})


def test_a_scope_that_may_not_be_read_says_what_is_missing(workspace):
    """Not a stack trace of the SDK at each restart of a continuous job."""
    init(KEYS)
    workspace.denied.add("pipe")
    with pytest.raises(KeysError, match="READ on the scope"):
        load_keys(KEYS)


def test_a_missing_api_key_names_the_command(workspace):
    """The one thing that a deploy cannot bring."""
    init(KEYS)
    with pytest.raises(KeysError, match="pipeline key set"):
        load_keys(KEYS)
    assert workspace.unknown == []
