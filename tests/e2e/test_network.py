"""Both jobs through Toxiproxy: a network that resets connections and cuts answers off."""

from collections import Counter
from urllib.parse import urlsplit

import pytest

from chaos.toxiproxy import Unobtainable, free_port, running_toxiproxy
from pipeline.core.records import OUTCOMES
from pipeline.streams.run import OK, run_deliver, run_drain
from pipeline.tables import retry_queue
from pipeline.tables.layout import layout

from .conftest import ORDERS, PEOPLE

TOXICS = (
    {"type": "reset_peer", "toxicity": 0.4, "attributes": {"timeout": 5}},
    {"type": "limit_data", "toxicity": 0.4, "attributes": {"bytes": 40}},
    {"type": "latency", "attributes": {"latency": 30, "jitter": 25}},
)


def test_a_broken_network_loses_nothing_and_keeps_the_order(
    spark, shop, ledger, record_property, capsys
):
    """A lost answer would lose a message, end it twice, or let a later one overtake it."""
    try:
        with running_toxiproxy() as proxy:
            record_property("toxiproxy", proxy.way)
            with capsys.disabled():
                print(f"\nToxiproxy runs as a {proxy.way}")  # noqa: T201
            port = free_port()
            proxy.proxy("api", port, urlsplit(shop.sandbox.base_url).netloc)
            for number, toxic in enumerate(TOXICS):
                proxy.toxic("api", name=f"toxic{number}", **toxic)
            through(spark, shop, f"http://127.0.0.1:{port}")
            proxy.reset()
            direct(spark, shop)
    except Unobtainable as reason:
        pytest.skip(str(reason))
    states = Counter(row["kind"] for row in ledger())
    assert states == {"accepted": 70}
    arrived = shop.accepted()
    assert {row["message_id"] for row in ledger()} == set(arrived)
    for number in range(10):
        events = shop.sandbox.client.events(f"p{number}", limit=100)
        orders = dict.fromkeys(e["call"]["properties"]["order_id"] for e in events)
        assert list(orders) == [f"o{n:03}" for n in range(number, 60, 10)]


def changed(shop, base_url):
    destination = shop.settings.destination.model_copy(update={"base_url": base_url})
    delivery = shop.settings.delivery
    delivery = delivery.model_copy(
        update={
            "breaker": delivery.breaker.model_copy(update={"failures": 100}),
            "slice_rows": 15,
        }
    )
    update = {"destination": destination, "delivery": delivery}
    return shop.settings.model_copy(update=update)


def through(spark, shop, base_url):
    """All of a day, while the network is ill."""
    settings = changed(shop, base_url)
    shop.insert("people", PEOPLE, [{"person_id": f"p{n}", "email": "e"} for n in range(10)])
    for first in (0, 30):
        orders = [
            {"order_id": f"o{n:03}", "person_id": f"p{n % 10}", "total": 1.0}
            for n in range(first, first + 30)
        ]
        shop.insert("orders", ORDERS, orders)
        assert run_deliver(spark, settings, available_now=True) == OK
        assert run_drain(spark, settings, available_now=True) == OK
    rows = layout(settings).place(OUTCOMES).read(spark).where("kind = 'request' AND status IS NULL")
    assert rows.count() > 0, "the network was well all the time"


def direct(spark, shop):
    """What still waits, when the network is well again."""
    for _ in range(20):
        assert run_drain(spark, changed(shop, shop.sandbox.base_url), available_now=True) == OK
        if not retry_queue.pinned(spark, layout(shop.settings)).waiting.num_rows:
            return
    raise AssertionError("something waits for ever")
