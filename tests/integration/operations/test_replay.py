"""Replay: what is made anew, what is left and why, and what drain makes of the wishes."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from pyspark.sql import functions as F

from pipeline.core.cipher import decrypt, keyring
from pipeline.core.feed import parse_feed
from pipeline.core.records import COMMANDS, OUTCOMES
from pipeline.keys import Secrets
from pipeline.operations import replay
from pipeline.operations.selection import Choice, checked_feed, select
from pipeline.operations.trial import tried
from pipeline.settings import Settings
from pipeline.streams.claim import Claim
from pipeline.streams.obey import obey
from pipeline.tables import commands, leases, outcomes
from pipeline.tables.layout import layout
from pipeline.tables.rows import append_rows

SECRETS = Secrets(api_key=SecretStr("k"), payload_keys=keyring(bytes(32)), hashing_key=bytes(32))
FEED = """
source: people
start: {version: 0}
row_key: [id]
entity: {person: person}
insert: {type: track, event: Joined, properties: {of: note}}
"""


@pytest.fixture
def settings(spark, tmp_path, lay_tables):
    """A source of three people in two commits, and the pipeline's tables."""
    found = Settings(
        target="test",
        sources={"root": str(tmp_path)},
        tables={"root": f"{tmp_path}/tables", "checkpoints": f"{tmp_path}/checkpoints"},
    )
    table = f"delta.`{tmp_path}/people`"
    spark.sql(
        f"CREATE TABLE {table} (id string, person string, note string) USING delta"
        " TBLPROPERTIES (delta.enableChangeDataFeed = true)"
    )
    spark.sql(f"INSERT INTO {table} VALUES ('1', 'ann', 'x'), ('2', 'bob', 'y'), ('3', ' ', 'z')")
    spark.sql(f"INSERT INTO {table} VALUES ('4', 'bob', 'later')")
    lay_tables(layout(found))
    return found


def test_dead_letters_are_made_anew_unless_they_are_overtaken(spark, settings):
    """A replay with the sealed bytes of a wrong mapping fails again; a stale one undoes a change.

    The ids stay, the payload is today's, what is left says why, and no call stays in the wishes.
    """
    feed, where = parse_feed(FEED, file="people.yml"), layout(settings)
    checked = checked_feed(spark, settings, feed)
    chosen = select(spark, checked, Choice(first=1), 2)
    trial = tried(chosen.netted, checked, settings, SECRETS.hashing_key)
    now, rows, ids = datetime.now(UTC), [], {}
    for place, key in enumerate(trial.beside["__pipeline_key"].to_pylist()):
        person = json.loads(key)["id"]
        ids[person] = trial.sealed.ids[place].tobytes().decode()
        rows.append(
            {
                "kind": "accepted" if person == "4" else "dead",
                "message_id": ids[person],
                "feed": "people",
                "source_version": trial.sealed.source_version[place].as_py(),
                "entity_hash": trial.sealed.entities[place] or None,
                "number": 1,
                "attempts": 0,
                "position": place,
                "stage": None if person == "4" else "validate",
                "reason": None if person == "4" else "refused_value",
                "recorded_at": now,
                "job": "deliver",
            }
        )
    append_rows(spark, where, OUTCOMES, rows)
    dead = replay.find(spark, settings, replay.Wanted(feed="people"))
    assert {one.message_id for one in dead} == {ids["1"], ids["2"], ids["3"]}
    (ready,) = replay.prepare(spark, settings, feed, dead, SECRETS, remap="failed", stale=False)
    assert ready.messages == (ids["1"],)
    assert sorted(ready.left.values()) == [1, 1]
    assert {why.split(":")[0].split(" (")[0] for why in ready.left} == {
        "would be refused again",
        "a later change of its person or object was accepted",
    }
    (stale,) = replay.prepare(spark, settings, feed, dead, SECRETS, remap="failed", stale=True)
    assert set(stale.messages) == {ids["1"], ids["2"]}
    # Asked for without `stale`, so drain must refuse the overtaken one by itself.
    asked = replay.request(
        spark, settings, "people", stale, number="r1", stale=False, pace=replay.Pace(1_000)
    )
    assert sum(asked) == 2
    claim = Claim(
        leases.acquire(spark, where, "drain", "me", answer_within=0.1, sleep=lambda _: None)
    )
    obey(spark, where, claim, commands.wishes(spark, where, -1))
    newest = {
        row["message_id"]: row
        for row in outcomes.newest(spark, where, list(ids.values())).collect()
    }
    kinds = {person: newest[id_]["kind"] for person, id_ in ids.items()}
    assert kinds == {"1": "queued", "2": "dead", "3": "dead", "4": "accepted"}
    queued = newest[ids["1"]]
    _, call = decrypt(
        SECRETS.payload_keys, queued["payload_key_id"], ids["1"], bytes(queued["payload"])
    )
    assert json.loads(call)["messageId"] == ids["1"]
    assert json.loads(call)["properties"] == {"of": "x"}
    assert queued["number"] == 2
    wishes = where.place(COMMANDS).read(spark).where(F.col("payload").isNotNull())
    assert wishes.count() == 0
