"""The check from the receiver's file alone, which kills are judged by, sees what it must see."""

import json
import sqlite3
from base64 import b64encode
from types import SimpleNamespace
from urllib.request import Request, urlopen

import pytest

from chaos import verify
from chaos.shop import ORDERS, PEOPLE, Upstream
from pipeline.sandbox.running import running_sandbox

KEY = "k"


def order(number, who="p1"):
    return {
        "messageId": f"{number:026}",
        "type": "track",
        "userId": who,
        "event": "Order Placed",
        "properties": {"order_id": f"o{number}"},
    }


def person(who, age):
    return {
        "messageId": f"{who}{age}".rjust(26, "0"),
        "type": "identify",
        "userId": who,
        "traits": {"email": f"{who}@example.com", "age": age},
    }


GONE = {
    "messageId": "9".rjust(26, "0"),
    "type": "track",
    "userId": "p2",
    "event": "User Deleted",
}
WELL = [person("p1", "30"), order(1), order(2), person("p2", "30"), person("p1", "31"), GONE]
OLD, TWICE, OTHER = person("p1", "30"), order(2), order(2) | {"properties": {"order_id": "o1"}}


@pytest.mark.parametrize(
    ("calls", "seen"),
    [
        (WELL, (0, 0, set(), (0, 0))),
        ([*WELL, TWICE], (0, 0, set(), (1, 0))),
        ([*WELL, OTHER], (0, 0, set(), (1, 1))),
        ([one for one in WELL if one != order(2)], (1, 0, set(), (0, 0))),
        ([order(2), *(one for one in WELL if one != order(2))], (0, 1, set(), (0, 0))),
        ([one for one in WELL if one != person("p1", "31")], (0, 0, {"p1"}, (0, 0))),
        ([one for one in WELL if one != GONE], (0, 0, {"p2"}, (0, 0))),
    ],
    ids=["well", "repeated", "other bytes", "lost", "out of order", "old state", "not deleted"],
)
def test_each_harm_is_seen_in_the_receivers_file(tmp_path, calls, seen):
    """A check that sees nothing would call every run of kills a good one."""
    upstream = Upstream(tmp_path, deleted={"p2"})
    upstream.append("people", PEOPLE, [{"person_id": "p1", "email": "p1@example.com", "age": "31"}])
    upstream.append(
        "orders",
        ORDERS,
        [{"order_id": f"o{n}", "person_id": "p1", "total": 1.0, "note": "n"} for n in (1, 2)],
    )
    with running_sandbox(write_key=KEY, database=tmp_path / "sandbox.db") as sandbox:
        for call in calls:
            send(sandbox.base_url, call)
        sandbox.client.counts()  # waits until what was answered is in the file
        shop = SimpleNamespace(sandbox=sandbox, upstream=upstream)
        database = sqlite3.connect(f"file:{sandbox.database}?mode=ro", uri=True)
        database.row_factory = sqlite3.Row
        found = (
            verify._lost(database, shop),
            verify._out_of_order(database),
            verify._wrong_people(database, shop),
            verify._repeats(database),
        )
        database.close()
    assert found == seen


def send(base_url, call):
    """One batch of one call."""
    headers = {
        "Authorization": "Basic " + b64encode(f"{KEY}:".encode()).decode(),
        "Content-Type": "application/json",
        "X-Strict-Mode": "1",
    }
    body = json.dumps({"batch": [call]}).encode()
    with urlopen(Request(f"{base_url}/v1/batch", body, headers), timeout=20) as answer:  # noqa: S310
        assert answer.status == 200
