"""An installation that an older commit of this repository made and ran: it is migrated and goes on.

`tests/data/format_1.tar.xz` holds its sources, tables and checkpoints, as commit 8a49bfb left them
after two runs of deliver and one of drain, with messages that wait, died, and were never sent.
"""

import shutil
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from pipeline.operations.reconcile import reconcile
from pipeline.source.feed_files import load_feeds
from pipeline.streams.run import OK, run_deliver, run_drain
from pipeline.tables.layout import layout
from pipeline.tables.migrate import migrate
from pipeline.tables.refusal import TablesError

from .conftest import ORDERS

OLD = Path(__file__).parents[1] / "data" / "format_1.tar.xz"


def test_what_an_older_version_left_is_migrated_and_goes_on(spark, shop, ledger):
    """An upgrade would lose what waits, send again what was sent, or start the feeds over."""
    shutil.rmtree(shop.settings.tables.root)  # of this version
    with tarfile.open(OLD) as archive:
        archive.extractall(shop.folder, filter="data")
    with pytest.raises(TablesError, match="pipeline tables migrate"):
        run_deliver(spark, shop.settings, available_now=True)
    assert migrate(spark, layout(shop.settings), stopped=True)
    before = Counter((row["feed"], row["kind"]) for row in ledger())
    assert before["orders", "queued"] > 0
    assert before["orders", "dead"] > 0
    waited = {row["message_id"] for row in ledger() if row["kind"] == "queued"}

    shop.insert("orders", ORDERS, [{"order_id": "o900", "person_id": "p4", "total": 9.0}])
    assert run_deliver(spark, shop.settings, available_now=True) == OK
    assert run_drain(spark, shop.settings, available_now=True) == OK
    after = Counter((row["feed"], row["kind"]) for row in ledger())
    assert sum(n for (_, kind), n in after.items() if kind == "queued") == 0
    assert after["orders", "dead"] == before["orders", "dead"]
    new = {r["message_id"] for r in ledger() if (r["feed"], r["source_version"]) == ("orders", 2)}
    assert set(shop.accepted()) == waited | new
    assert len(new) == 1
    feeds = load_feeds(Path(shop.settings.sources.feeds))
    found = reconcile(spark, shop.settings, feeds)
    assert all(one.closes for one in found), [one.missing for one in found]
