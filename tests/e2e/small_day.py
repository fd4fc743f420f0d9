"""A small day in a process of its own: over Spark Connect, or with another release of Spark.

Over Connect it delivers in the driver, as on serverless compute; such a session cannot live beside
the other tests' session. Prints what came of it, as JSON.
"""

import json
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pipeline.operations.reconcile import reconcile
from pipeline.sandbox.failure import Failure
from pipeline.sandbox.running import running_sandbox
from pipeline.source.feed_files import load_feeds
from pipeline.streams.run import run_deliver, run_drain
from pipeline.tables.layout import create_tables, layout
from pipeline.tables.migrate import migrate
from pipeline.tables.session import QUICK, local_session
from pipeline.tables.views import make_session_views

sys.path.insert(0, str(Path(__file__).parent))
from conftest import ORDERS, PEOPLE, Shop, make_shop


def main(folder: Path, *, connect: bool) -> None:
    """Snapshot, an outage, changes, the queue, the books."""
    patch = pytest.MonkeyPatch()
    with running_sandbox(write_key="k") as sandbox:
        shop = make_shop(folder, sandbox, patch)
        if connect:
            shop = _at_driver(shop)
        spark = local_session("small day", java=QUICK, connect=connect)
        found = _day(spark, shop)
        spark.stop()
    patch.undo()
    sys.stdout.write("\n" + json.dumps(found) + "\n")


def _at_driver(shop: Shop) -> Shop:
    delivery = shop.settings.delivery.model_copy(update={"site": "driver"})
    return replace(shop, settings=shop.settings.model_copy(update={"delivery": delivery}))


def _day(spark: SparkSession, shop: Shop) -> dict[str, object]:
    settings, where = shop.settings, layout(shop.settings)
    create_tables(spark, where)
    left = len(migrate(spark, where))
    people = [{"person_id": f"p{n}", "email": f"p{n}@example.com", "age": "30"} for n in range(9)]
    shop.insert("people", PEOPLE, people)
    shop.insert("orders", ORDERS, [_order(n) for n in range(12)])
    statuses = [run_deliver(spark, settings, available_now=True)]
    shop.insert("people", PEOPLE, [{"person_id": "bad", "email": None, "age": "old"}])
    shop.insert("orders", ORDERS, [_order(n) for n in range(12, 20)])
    shop.sandbox.client.fail(Failure(kind="status", status=503, requests=4))
    statuses.append(run_deliver(spark, settings, available_now=True))
    shop.sandbox.client.clear()
    for _ in range(2):
        time.sleep(1)
        statuses.append(run_drain(spark, settings, available_now=True))
    make_session_views(spark, where)
    ledger = spark.sql("SELECT newest.kind, message_id FROM ledger").collect()
    books = reconcile(spark, settings, load_feeds(Path(settings.sources.feeds)))
    accepted = {row["message_id"] for row in ledger if row["kind"] == "accepted"}
    return {
        "session": f"{type(spark).__module__}",
        "spark": spark.version,
        "steps_left": left,
        "statuses": statuses,
        "kinds": Counter(row["kind"] for row in ledger),
        "received_is_accepted": set(shop.accepted()) == accepted,
        "twice": max(shop.accepted().values()),
        "books_close": all(one.closes for one in books),
    }


def _order(number: int) -> dict[str, object]:
    return {"order_id": f"o{number:03}", "person_id": f"p{number % 3}", "total": float(number)}


if __name__ == "__main__":
    main(Path(sys.argv[1]), connect="connect" in sys.argv[2:])
