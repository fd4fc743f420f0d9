"""The example feeds: each fits the table that its comment makes, and makes calls the API takes."""

import json
import re
from pathlib import Path

import pytest

from pipeline.core.api.check import check_line
from pipeline.core.feed import parse_feed

FOLDER = Path(__file__).parents[3] / "conf" / "feeds" / "examples"
ROWS = {
    "accounts": [("a1", "Acme", "gold", 3)],
    "account_members": [("a1", "ann", "owner")],
    "suppressions": [("ann", None)],
    "devices": [("ann", "t1", "iOS", "2.1")],
    "outbox": [
        ("c1", "ann", '{"type":"track","userId":"ann","event":"Paid","context":{"ip":"::1"}}', None)
    ],
}
EXPECTED = {
    "accounts": [("group", None), ("track", "Object Deleted")],
    "account_members": [("group", None), ("track", "Relationship Deleted")],
    "suppressions": [("track", "User Suppressed"), (None, None)],
    "devices": [("track", "Device Created or Updated"), ("track", "Device Deleted")],
    "outbox": [("track", "Paid"), (None, None)],
}


def test_every_example_is_tried():
    """An example that nobody runs is one that stops working."""
    assert {path.stem for path in FOLDER.glob("*.yml")} == set(ROWS)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_an_example_makes_calls_that_the_api_takes(source, name):
    """A team that starts from the example would have dead letters only."""
    text = (FOLDER / f"{name}.yml").read_text()
    ddl = re.search(rf"CREATE TABLE {name} \((.*)\)", text)
    assert ddl is not None
    table = source(ddl.group(1))
    table.append(*ROWS[name])
    table.sql("DELETE FROM {t}")
    drafts = table.drafts(parse_feed(text, file=f"{name}.yml"))
    assert [(row.call_type, row.event) for row in drafts] == EXPECTED[name]
    for row in drafts:
        if row.kind is None:
            own = row.asDict().get("envelope") or "{}"
            call = json.loads(row.body[:-1]) | json.loads(own)
            assert bool(own != "{}") == (name in {"devices", "outbox"})
            assert check_line(json.dumps(call).encode()) == ()
        else:
            assert (row.kind, row.reason) == ("skipped", "nothing")
