"""Where keys come from, and what is said when one is missing."""

import base64
import io
import json
import stat

import pytest

from pipeline.cli import main
from pipeline.keys import KeysError, fingerprint, load_keys
from pipeline.keys.store import init_file
from pipeline.settings import Keys

GOOD = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(32)).decode()


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in ("API", "ENCRYPTION", "HASHING"):
        monkeypatch.delenv(f"PIPELINE_{name}_KEY", raising=False)


def test_keys_from_the_environment(monkeypatch):
    """The first encryption key encrypts, the others still decrypt."""
    monkeypatch.setenv("PIPELINE_API_KEY", "k")
    monkeypatch.setenv("PIPELINE_ENCRYPTION_KEY", f"{GOOD},{OTHER}")
    monkeypatch.setenv("PIPELINE_HASHING_KEY", GOOD)
    found = load_keys(Keys())
    assert found.payload_keys.keys[found.payload_keys.current] == bytes(range(32))
    assert len(found.payload_keys.keys) == 2
    assert GOOD not in repr(found)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("PIPELINE_API_KEY", "PIPELINE_API_KEY is missing in the environment: the write key"),
        ("PIPELINE_HASHING_KEY", "PIPELINE_HASHING_KEY is missing .*pipeline key init"),
    ],
)
def test_a_missing_key_says_which_and_what_to_do(monkeypatch, missing, words):
    """Before a stream starts."""
    for name in ("PIPELINE_API_KEY", "PIPELINE_ENCRYPTION_KEY", "PIPELINE_HASHING_KEY"):
        if name != missing:
            monkeypatch.setenv(name, GOOD)
    with pytest.raises(KeysError, match=words):
        load_keys(Keys())


def test_a_key_of_a_wrong_length_is_refused_without_showing_it(monkeypatch):
    """The message names the key, not its value."""
    for name in ("PIPELINE_API_KEY", "PIPELINE_ENCRYPTION_KEY", "PIPELINE_HASHING_KEY"):
        monkeypatch.setenv(name, "c2hvcnQ=")
    with pytest.raises(KeysError, match="expected 32 bytes in base64") as refused:
        load_keys(Keys())
    assert "c2hvcnQ" not in str(refused.value)


def test_init_makes_a_private_file_once(tmp_path):
    """Mode 600; made again, the keys stay: a new hashing key would give repeats new ids."""
    path = tmp_path / "keys" / "keys.json"
    assert init_file(path) == ("encryption_key", "hashing_key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = json.loads(path.read_text())
    assert init_file(path) == ()
    assert json.loads(path.read_text()) == first


def test_a_file_needs_only_the_api_key_added(tmp_path, monkeypatch):
    """From the environment, or in the file."""
    path = tmp_path / "keys.json"
    init_file(path)
    keys = Keys(source="file", file=str(path))
    with pytest.raises(KeysError, match="api_key is missing"):
        load_keys(keys)
    monkeypatch.setenv("PIPELINE_API_KEY", "k")
    assert load_keys(keys).api_key.get_secret_value() == "k"


def test_a_file_that_others_can_read_is_refused(tmp_path):
    """With the command that mends it."""
    path = tmp_path / "keys.json"
    init_file(path)
    path.chmod(0o644)
    with pytest.raises(KeysError, match="chmod 600"):
        load_keys(Keys(source="file", file=str(path)))


def test_a_missing_file_says_how_to_make_it(tmp_path):
    """The command is in the message."""
    with pytest.raises(KeysError, match="pipeline key init"):
        load_keys(Keys(source="file", file=str(tmp_path / "none.json")))


def test_set_writes_the_file_and_shows_only_a_fingerprint(tmp_path, monkeypatch, capsys):
    """A key on a screen or in a shell's history is a key to be changed."""
    path = tmp_path / "keys.json"
    main(["key", "init", "--file", str(path)])
    for key in ("first", "second"):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{key}\n"))
        main(["key", "set", "--file", str(path)])
    said = capsys.readouterr()
    assert json.loads(path.read_text())["api_key"] == "second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f"API key {fingerprint('second')}; it was {fingerprint('first')}" in said.out
    assert "second" not in said.out + said.err


def test_a_key_with_a_space_is_refused(tmp_path, monkeypatch, capsys):
    """Half a line from the clipboard would hold every stream with 401."""
    monkeypatch.setattr("sys.stdin", io.StringIO("two words\n"))
    with pytest.raises(SystemExit):
        main(["key", "set", "--file", str(tmp_path / "keys.json")])
    assert "has a space in it" in capsys.readouterr().err
