"""Payloads of an older key are re-encrypted where they lie, in every table that has any."""

import json

import pytest
from pydantic import SecretStr

from pipeline.core.cipher import decrypt, encrypt, keyring
from pipeline.core.records import COMMANDS, OUTCOMES
from pipeline.keys import Secrets
from pipeline.operations.reencrypt import in_use
from pipeline.settings import Settings
from pipeline.streams.runtime import Runtime
from pipeline.streams.upkeep import upkeep
from pipeline.tables import retry_queue
from pipeline.tables.commands import Wish
from pipeline.tables.layout import layout
from pipeline.tables.rows import append_rows
from pipeline.tables.take_in import take_in

OLD, NEW, LOST = bytes(32), b"n" * 32, b"l" * 32


@pytest.fixture
def settings(tmp_path, lay_tables):
    made = Settings(
        target="test",
        tables={"root": str(tmp_path / "tables"), "checkpoints": str(tmp_path / "checkpoints")},
    )
    lay_tables(layout(made))
    return made


def row(message, key, **more):
    return {
        "message_id": message,
        "feed": "f",
        "number": 1,
        "attempts": 0,
        "position": 0,
        "entity_hash": b"a" * 16,
        "payload": encrypt(keyring(key), message, b"{}", message.encode(), b"0" * 12),
        "payload_key_id": keyring(key).current,
        **more,
    }


def test_what_can_be_opened_gets_the_current_key(spark, settings):
    """A retired key would take what waits with it, or a lost one stop the rotation."""
    where = layout(settings)
    append_rows(
        spark,
        where,
        OUTCOMES,
        [row("a", OLD, kind="queued"), row("b", OLD, kind="dead"), row("c", LOST, kind="dead")],
    )
    wish = {k: v for k, v in row("d", OLD).items() if k in {c.name for c in COMMANDS.columns}}
    append_rows(spark, where, COMMANDS, [{**wish, "entry": "wish", "verb": "erase"}])
    take_in(spark, where, retry_queue.positions(spark, where), 0)
    keys = keyring(NEW, OLD)
    secrets = Secrets(api_key=SecretStr("k"), payload_keys=keys, hashing_key=bytes(32))
    asked = Wish(
        version=1,
        command_id="1",
        verb="re-encrypt",
        feed=None,
        message_id=None,
        source_version=None,
        argument=json.dumps({"key": "another"}),
    )
    upkeep(spark, Runtime(settings=settings, secrets=secrets), [asked])
    assert in_use(spark, settings) == {keyring(OLD).current: 4, keyring(LOST).current: 1}
    asked = Wish(
        version=1,
        command_id="2",
        verb="re-encrypt",
        feed=None,
        message_id=None,
        source_version=None,
        argument=json.dumps({"key": keys.current}),
    )
    upkeep(spark, Runtime(settings=settings, secrets=secrets), [asked])
    assert in_use(spark, settings) == {keys.current: 4, keyring(LOST).current: 1}
    rows = where.place(OUTCOMES).read(spark).where("message_id = 'b'").collect()
    assert [(r["kind"], r["payload_key_id"]) for r in rows] == [("dead", keys.current)]
    opened = decrypt(keyring(NEW), keys.current, "b", bytes(rows[0]["payload"]))
    assert opened == (b"{}", b"b")
    results = where.place(COMMANDS).read(spark).where("entry = 'result'")
    assert {r["command_id"]: r["status"] for r in results.collect()} == {
        "1": "refused",
        "2": "applied",
    }
