"""A stage without jobs: upstream writes for real, who delivers is played by the test."""

from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.demo.holds import LogReader
from pipeline.demo.ledger import OutcomesReader
from pipeline.demo.load import load
from pipeline.demo.retail import Retail, shape
from pipeline.demo.shop import open_shop
from pipeline.demo.stage import Stage
from pipeline.sandbox.failure import Failure
from pipeline.sandbox.running import RunningSandbox
from pipeline.source.feed_files import load_feeds

ROWS = 1000


class FakeClient:
    """Answers as the sandbox's client does; each failure strikes once a question."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.failing: list[Failure] = []
        self.struck = 0

    def fail(self, failure: Failure) -> dict[str, Any]:
        self.said.append(f"fail {failure.status or failure.kind}")
        self.failing.append(failure)
        self.struck = 0
        return {}

    def failures(self) -> list[dict[str, Any]]:
        self.struck += 1
        return [{"struck": self.struck} for _ in self.failing]

    def clear(self) -> None:
        self.said.append(f"clear after {self.struck}")
        self.failing.clear()

    def counts(self) -> dict[str, Any]:
        return {"applied_message_ids": 5, "applied_repeats": 2, "requests": {"200": 3}}


@pytest.fixture(scope="session")
def retail() -> Retail:
    """The first thousand baskets, and all households, campaigns and redemptions."""
    return shape(load(), ROWS)


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def stage(retail: Retail, client: FakeClient, tmp_path: Path) -> Stage:
    """Nothing is written yet."""
    sandbox = RunningSandbox(
        base_url="", write_key="", database=tmp_path, process=0, client=cast("Any", client)
    )
    return Stage(
        shop=open_shop(tmp_path / "sources", retail),
        feeds={feed.name: feed for feed in load_feeds(Path("conf/feeds"))},
        sandbox=sandbox,
        children=(),
        outcomes=OutcomesReader(tmp_path / "outcomes"),
        logs=(LogReader(tmp_path / "deliver.log"),),
    )
