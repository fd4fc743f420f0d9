"""The doctor, on a target that is as it should be, and on one where things are wrong."""

import json
import socket

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from pipeline.cli import main
from pipeline.core.records import COMMANDS
from pipeline.operations.doctor import examine
from pipeline.sandbox.running import running_sandbox
from pipeline.settings import Settings
from pipeline.tables.layout import create_tables, layout

FEED = """
source: people
start: snapshot
row_key: [person_id]
entity: {person: person_id}
insert: {type: identify, traits: {email: email}}
update: nothing
"""


@pytest.fixture
def target(tmp_path, monkeypatch):
    for name in ("ENCRYPTION", "HASHING"):
        monkeypatch.setenv(f"PIPELINE_{name}_KEY", "A" * 43 + "=")
    monkeypatch.setenv("PIPELINE_API_KEY", "k")
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "people.yml").write_text(FEED)
    with running_sandbox(write_key="k") as sandbox:
        yield (
            Settings(
                target="test",
                destination={"base_url": sandbox.base_url, "connect_timeout": "PT2S"},
                sources={"root": str(tmp_path / "sources"), "feeds": str(tmp_path / "feeds")},
                tables={"root": str(tmp_path / "tables"), "checkpoints": str(tmp_path / "cp")},
            ),
            tmp_path,
        )


def states(checks):
    return {check.name: check.state for check in checks}


def test_before_and_after_what_is_missing_is_made(spark, target, monkeypatch):
    """A page that is green while no stream can start helps nobody."""
    settings, folder = target
    monkeypatch.setenv("PIPELINE_API_KEY", "wrong")
    before = examine(spark, settings)
    found = states(before)
    assert found["tables"] == found["key accepted"] == found["feed people"] == "finding"
    assert all(check.todo for check in before if check.state == "finding")
    assert "wrong" not in json.dumps([check.says for check in before])

    monkeypatch.setenv("PIPELINE_API_KEY", "k")
    write_deltalake(
        folder / "sources" / "people",
        pa.table({"person_id": ["p1"], "email": ["a@example.com"]}),
        configuration={"delta.enableChangeDataFeed": "true"},
    )
    create_tables(spark, layout(settings))
    after = examine(spark, settings)
    assert {check.state for check in after} == {"ok"}, after
    assert {"network from tasks", "clock", "retention of people", "grants"} <= states(after).keys()


def test_each_thing_that_is_wrong_is_a_finding_and_ends_with_1(spark, target, monkeypatch, capsys):
    """What the doctor passes over is found by a stream, and by whoever is woken."""
    settings, folder = target
    where = layout(settings)
    create_tables(spark, where)
    commands = where.place(COMMANDS).sql
    spark.sql(f"ALTER TABLE {commands} SET TBLPROPERTIES ('delta.appendOnly' = 'true')")
    (folder / "cp").write_text("a file where a folder should be")
    rows = pa.table({"person_id": ["p1"], "email": ["a@example.com"]})
    write_deltalake(folder / "sources" / "people", rows)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        gone = settings.destination.model_copy(
            update={"base_url": f"http://127.0.0.1:{taken.getsockname()[1]}"}
        )
        settings = settings.model_copy(update={"destination": gone})
        monkeypatch.setattr("pipeline.cli.doctor.load_settings", lambda _: settings)
        monkeypatch.setattr("pipeline.tables.session.active_session", lambda: spark)
        with pytest.raises(SystemExit) as ended:
            main(["doctor", "--json"])
    assert ended.value.code == 1
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert {name for name, one in found.items() if one["state"] == "finding"} == {
        "checkpoints",
        "grants",
        "network from the driver",
        "feed people",
    }
    assert "delta.enableChangeDataFeed = true" in found["feed people"]["says"]
