"""A small shop: source tables written without a JVM, a sandbox, and the jobs run against it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pydantic import SecretStr

from pipeline.core.cipher import keyring
from pipeline.keys import Secrets
from pipeline.sandbox.running import RunningSandbox, running_sandbox
from pipeline.settings import Settings
from pipeline.tables.layout import Layout, layout
from pipeline.tables.views import make_session_views

PEOPLE = pa.schema([(name, pa.string()) for name in ("person_id", "email", "age", "note")])
PEOPLE_FEED = """
source: people
start: snapshot
row_key: [person_id]
entity: {person: person_id}
changes_only: true
insert:
  type: identify
  traits: {email: email, age: "cast(age as int)", note: note}
delete: delete_person
"""
ORDERS = pa.schema(
    [
        ("order_id", pa.string()),
        ("person_id", pa.string()),
        ("total", pa.float64()),
        ("note", pa.string()),
    ]
)
ORDERS_FEED = """
source: orders
start: {version: 0}
row_key: [order_id]
entity: {person: person_id}
order_by: [order_id]
insert:
  type: track
  event: Order Completed
  properties: {order_id: order_id, total: total, note: note}
update: nothing
"""


@dataclass(frozen=True)
class Shop:
    """One installation in a folder."""

    folder: Path
    settings: Settings
    secrets: Secrets
    sandbox: RunningSandbox

    def table(self, name: str) -> str:
        """Path of a source table."""
        return str(self.folder / "sources" / name)

    def insert(self, name: str, schema: pa.Schema, rows: list[dict[str, Any]]) -> None:
        """Append rows in one commit."""
        write_deltalake(
            self.table(name),
            pa.Table.from_pylist(rows, schema=schema),
            mode="append",
            configuration={"delta.enableChangeDataFeed": "true"},
        )

    def delta(self, name: str) -> DeltaTable:
        """The source table, to update and delete in."""
        return DeltaTable(self.table(name))

    def accepted(self) -> dict[str, int]:
        """Message ids at the receiver, with how often each came."""
        return {row["message_id"]: row["count"] for row in self.sandbox.client.message_ids()}


@pytest.fixture
def shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lay_tables: Callable[[Layout], None]
) -> Iterator[Shop]:
    """An empty shop with two feeds and a healthy sandbox."""
    with running_sandbox(write_key="k") as sandbox:
        made = make_shop(tmp_path, sandbox, monkeypatch)
        lay_tables(layout(made.settings))
        yield made


def make_shop(
    folder: Path, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, **changed: Any
) -> Shop:
    """Settings, feeds and keys in *folder*; waits are short."""
    feeds = folder / "feeds"
    feeds.mkdir()
    (feeds / "people.yml").write_text(PEOPLE_FEED)
    (feeds / "orders.yml").write_text(ORDERS_FEED)
    secrets = Secrets(
        api_key=SecretStr("k"), payload_keys=keyring(bytes(32)), hashing_key=bytes(32)
    )
    for name in ("ENCRYPTION", "HASHING"):
        monkeypatch.setenv(f"PIPELINE_{name}_KEY", "A" * 43 + "=")
    monkeypatch.setenv("PIPELINE_API_KEY", "k")
    settings = Settings(
        target="test",
        destination={"base_url": sandbox.base_url, "total_timeout": "PT3S"},
        delivery={
            "slice_deadline": "PT60S",
            "packed_from": 2,  # the days of the tests are small
            "quick": {"attempts": 2, "wait_initial": "PT0.01S", "wait_max": "PT0.05S"},
            "breaker": {"probe_initial": "PT0.2S", "probe_max": "PT0.5S"},
            "holds": {"outlast": "PT5S"},
        },
        retry={"wait_initial": "PT0.2S", "wait_max": "PT0.5S", "wait_min": "PT0.1S"},
        lease={"poll": "PT0.5S", "answer_within": "PT3S"},
        triggers={"deliver": "PT0.3S", "drain": "PT0.3S"},
        sources={"root": str(folder / "sources"), "feeds": str(feeds)},
        tables={"root": str(folder / "tables"), "checkpoints": str(folder / "checkpoints")},
        **changed,
    )
    return Shop(folder, settings, secrets, sandbox)


@pytest.fixture
def ledger(spark, shop) -> Callable[..., list[dict[str, Any]]]:
    """The newest outcome of each message, of the shop's tables or of those that are given."""

    def read(settings: Settings = shop.settings) -> list[dict[str, Any]]:
        make_session_views(spark, layout(settings))
        return [row.asDict() for row in spark.sql("SELECT newest.* FROM ledger").collect()]

    return read
