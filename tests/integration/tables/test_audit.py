"""The audit log on a real table: chains, heads, two writers at once."""

import threading

import pytest
from pydantic import SecretStr

from pipeline.core.audit import verify
from pipeline.core.cipher import keyring
from pipeline.core.records import AUDIT_LOG, COMMANDS
from pipeline.keys import Secrets, fingerprint
from pipeline.operations.ask import ask
from pipeline.operations.release import release
from pipeline.settings import Settings
from pipeline.tables.audit import audit, entries, heads
from pipeline.tables.audit_start import audit_start
from pipeline.tables.audit_use import audit_use
from pipeline.tables.layout import layout
from pipeline.tables.who import who


@pytest.fixture
def settings(tmp_path, lay_tables):
    made = Settings(
        target="test",
        tables={"root": str(tmp_path / "tables"), "checkpoints": str(tmp_path / "checkpoints")},
        sources={"feeds": str(tmp_path)},
    )
    lay_tables(layout(made))
    return made


def test_two_processes_share_a_chain_and_tampering_shows(spark, settings):
    """Appends at once would fork the chain, or a changed table would pass for whole."""

    def write(number):
        audit(spark, settings, "cli", "erase.requested", {"number": number})

    threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = entries(spark, settings, action="erase")
    assert sorted(entry.sequence for entry in found) == [0, 1, 2]
    assert {entry.who for entry in found} != {"unknown"}
    assert verify(found, heads(settings)) == ()
    table = layout(settings).place(AUDIT_LOG).sql
    with pytest.raises(Exception, match="DELTA_CANNOT_MODIFY_APPEND_ONLY"):
        spark.sql(f"DELETE FROM {table}")
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.appendOnly' = 'false')")
    spark.sql(f"UPDATE {table} SET who = 'nobody' WHERE sequence = 1")
    assert [f.sequence for f in verify(entries(spark, settings), heads(settings))] == [1]
    spark.sql(f"DELETE FROM {table} WHERE sequence >= 1")
    assert "are missing" in verify(entries(spark, settings), heads(settings))[0].what


def test_a_start_says_what_changed_and_no_key(spark, settings, tmp_path):
    """A change of settings or of a feed would go unnoticed, or a key would be in the log."""
    secrets = Secrets(
        api_key=SecretStr("k-canary"), payload_keys=keyring(bytes(32)), hashing_key=bytes(32)
    )
    audit_start(spark, settings, secrets, "drain")
    audit_start(spark, settings, secrets, "drain")
    assert [e.action for e in entries(spark, settings)].count("settings.changed") == 1
    (tmp_path / "people.yml").write_text("source: people")
    changed = settings.model_copy(update={"target": "other"})
    audit_start(spark, changed, secrets, "drain")
    newest = entries(spark, settings, action="settings")[-1].detail
    assert '"changed": {"feed people": [null, ' in newest
    assert '"target": ["test", "other"]' in newest
    assert all("k-canary" not in entry.detail for entry in entries(spark, settings))


def test_each_wish_and_each_use_of_the_key_has_its_entry(spark, settings):
    """Somebody would let a feed go on, discard messages or use the key, and nobody could tell."""
    secrets = Secrets(
        api_key=SecretStr("k-canary"), payload_keys=keyring(bytes(32)), hashing_key=bytes(32)
    )
    for verb in ("retry", "discard", "replay"):
        ask(spark, settings, verb, [("m1", "orders")])
    release(spark, settings, "orders", 7)
    assert audit_use(spark, settings, secrets, "doctor")
    found = entries(spark, settings)
    assert [entry.action for entry in found] == [
        *(f"command.{verb}" for verb in ("retry", "discard", "replay", "release")),
        "key.used",
    ]
    assert fingerprint("k-canary") in found[-1].detail
    wishes = layout(settings).place(COMMANDS).read(spark).select("requested_by").collect()
    assert {row[0] for row in wishes} == {entry.who for entry in found} == {who(spark)}
    assert all("/" in entry.origin for entry in found)
