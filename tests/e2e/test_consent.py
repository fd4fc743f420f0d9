"""Consent that stands in a table of its own, given and withdrawn."""

import pyarrow as pa

from pipeline.sandbox.failure import Failure
from pipeline.streams.run import OK, run_deliver, run_drain

from .conftest import ORDERS

CONSENTS = pa.schema([("person", pa.string()), ("marketing", pa.bool_())])


def order(number):
    return {"order_id": f"o{number}", "person_id": f"p{number}", "total": 1.0}


def test_who_does_not_consent_gets_nothing_also_from_the_queue(spark, shop, ledger):
    """A change would be sent without consent, or what waits after consent was withdrawn."""
    (shop.folder / "feeds" / "people.yml").unlink()
    file = shop.folder / "feeds" / "orders.yml"
    consent = "consent: {table: consents, key: person, column: marketing}\n"
    file.write_text(file.read_text() + consent)
    given = [("p1", True), ("p2", False), ("p4", True), ("p5", None), ("p6", True), ("p6", False)]
    rows = [{"person": person, "marketing": yes} for person, yes in given]
    shop.insert("consents", CONSENTS, rows)
    shop.insert("orders", ORDERS, [order(n) for n in range(1, 7)])
    shop.sandbox.client.fail(Failure(kind="status", status=503, requests=2))
    assert run_deliver(spark, shop.settings, available_now=True) == OK
    ends = sorted((row["kind"], row["reason"]) for row in ledger())
    assert ends == [("queued", "http_503")] * 2 + [("skipped", "no_consent")] * 4

    shop.delta("consents").update({"marketing": "false"}, predicate="person = 'p1'")
    assert run_drain(spark, shop.settings, available_now=True) == OK
    ends = sorted((row["kind"], row["reason"]) for row in ledger() if row["reason"] != "no_consent")
    assert ends == [("accepted", None), ("skipped", "consent_withdrawn")]
    assert [person["user_id"] for person in shop.sandbox.client.people()] == ["p4"]
