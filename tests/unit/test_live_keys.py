"""Keys that are read again while a job runs."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from pipeline.core.cipher import keyring
from pipeline.keys import KeysError, Secrets, fingerprint
from pipeline.keys.live import LiveKeys
from pipeline.settings import Keys

OLD = Secrets(api_key=SecretStr("old"), payload_keys=keyring(bytes(32)), hashing_key=bytes(32))


class Scope:
    """What is there, and how often it was read."""

    def __init__(self):
        self.held = OLD
        self.reads = 0
        self.now = 1000.0

    def load(self, _keys):
        self.reads += 1
        if isinstance(self.held, Exception):
            raise self.held
        return self.held


@pytest.fixture
def scope():
    return Scope()


@pytest.fixture
def live(scope):
    keys = Keys(reload="PT30S")
    return LiveKeys(settings=keys, secrets=OLD, load=scope.load, clock=lambda: scope.now)


def test_a_new_key_is_taken_at_the_next_look_and_not_before(scope, live):
    """A look at each slice would ask the scope a hundred times a minute."""
    scope.held = replace(OLD, api_key=SecretStr("new"))
    scope.now += 29
    assert live.current().api_key.get_secret_value() == "old"
    assert scope.reads == 0
    scope.now += 1
    assert live.current().api_key.get_secret_value() == "new"
    live.current()
    assert scope.reads == 1
    (change,) = live.changes
    assert (change.what, change.before, change.after) == (
        "api_key",
        fingerprint("old"),
        fingerprint("new"),
    )


def test_a_new_encryption_key_keeps_the_old_one_readable(scope, live):
    """What waits is encrypted with the key from before."""
    scope.held = replace(OLD, payload_keys=keyring(b"n" * 32, bytes(32)))
    scope.now += 31
    found = live.current().payload_keys
    assert len(found.keys) == 2
    assert [change.what for change in live.changes] == ["encryption_key"]


@pytest.mark.parametrize("error", [KeysError("out of reach"), OSError("no route")])
def test_a_scope_out_of_reach_leaves_what_was_there(scope, live, error):
    """A job that runs must not stop for a minute's trouble of the workspace."""
    scope.held = error
    scope.now += 31
    assert live.current() == OLD
    assert not live.changes


def test_another_hashing_key_is_not_taken(scope, live):
    """Ids of repeats would differ, and a message be sent twice."""
    scope.held = replace(OLD, api_key=SecretStr("new"), hashing_key=b"h" * 32)
    scope.now += 31
    assert live.current() == replace(OLD, api_key=SecretStr("new"))
