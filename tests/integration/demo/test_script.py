"""The script of the show, with a pipeline that is played by the test."""

from typing import Any

import pytest

from pipeline.demo import script as module
from pipeline.demo.script import TooSlowError, script
from pipeline.demo.stage import Stage
from pipeline.demo.upstream import SCENES, opening


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between commits."""
    monkeypatch.setattr(module, "COMMIT_SECONDS", 0.0)
    monkeypatch.setattr(module, "LATE_COMMIT_SECONDS", 0.0)


def deliver(stage: Stage) -> None:
    """All that is written is accepted, unless the destination fails."""
    if not stage.sandbox.client.failing:
        stage.ledger.counts["baskets", "accepted"] = stage.expected


def test_scenes_come_in_order_and_each_illness_ends(stage: Stage, client: Any) -> None:
    """Snapshot, all scenes, four illnesses that each struck; then all is delivered."""
    for one in opening(stage.shop):
        stage.note(one)
    seen = []
    for _ in script(stage):
        if not seen or seen[-1] != stage.scene:
            seen.append(stage.scene)
        deliver(stage)

    assert stage.settled
    assert [name for name in seen if name not in {s.name for s in SCENES}] == [
        "start",
        "outage",
    ]
    assert client.said == [
        "fail 503",
        "clear after 4",
        "fail 429",
        "clear after 4",
        "fail reset",
        "clear after 4",
        "fail key_revoked",
        "clear after 4",
    ]
    changes = sum(stage.written.values())
    assert stage.expected == changes, "each change of the demo's feeds is one message"


def test_a_pipeline_that_delivers_nothing_is_not_waited_for_without_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what should have happened."""
    monkeypatch.setattr(module, "START_SECONDS", 0.05)
    monkeypatch.setattr(module, "MESSAGES_A_SECOND", 1e9)
    for one in opening(stage.shop):
        stage.note(one)

    with pytest.raises(TooSlowError, match="snapshots are not delivered"):
        list(script(stage))
