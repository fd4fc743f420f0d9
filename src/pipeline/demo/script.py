"""The script of the show: what happens, in order. Each `yield` lets a moment pass."""

import time
from collections.abc import Callable, Iterator
from typing import Final

from pipeline.demo.ledger import ACCEPTED
from pipeline.demo.outage import ILLNESSES, STRUCK, Illness
from pipeline.demo.shop import Written
from pipeline.demo.stage import Stage
from pipeline.demo.upstream import SCENES, while_down

COMMIT_SECONDS: Final = 0.4
"""Between two commits."""
LATE_COMMIT_SECONDS: Final = 0.6
START_SECONDS: Final = 300.0
"""For two JVMs on a slow machine."""
MESSAGES_A_SECOND: Final = 200.0
"""Slower than this is a failure, not a slow machine."""
PATIENCE_SECONDS: Final = 300.0


class TooSlowError(Exception):
    """What should have happened has not; the message says what."""


Moments = Iterator[None]


def script(stage: Stage) -> Moments:
    """The whole show, from the jobs' start to the last message.

    Raises:
        TooSlowError: a part of it takes far too long.
    """
    stage.scene, stage.says = "start", "deliver and drain start, and read the first snapshots."
    patience = START_SECONDS + stage.expected / MESSAGES_A_SECOND
    yield from _until(lambda: stage.settled, patience, "the first snapshots are not delivered")
    for scene in SCENES:
        stage.scene, stage.says = scene.name, scene.says
        yield from _play(stage, scene.play(stage.shop), COMMIT_SECONDS)
    yield from _outage(stage)
    yield from _settle(stage, "Customer.io is well again: drain empties the retry queue.")


def _play(stage: Stage, play: Iterator[Written], seconds: float) -> Moments:
    for written in play:
        stage.note(written)
        yield from _pause(seconds)


def _outage(stage: Stage) -> Moments:
    """One illness follows the other, and upstream goes on writing."""
    for number, illness in enumerate(ILLNESSES):
        stage.scene, stage.says = "outage", f"{illness.says} Upstream goes on writing."
        for failure in illness.failures:
            stage.sandbox.client.fail(failure)
        yield from _play(stage, while_down(stage.shop, number, len(ILLNESSES)), LATE_COMMIT_SECONDS)
        yield from _until(
            lambda: stage.settled or stage.struck() >= STRUCK,
            PATIENCE_SECONDS,
            f"too few requests meet this: {illness.says}",
        )
        stage.sandbox.client.clear()
        yield from _recover(stage, illness)


def _recover(stage: Stage, illness: Illness) -> Moments:
    """The time until something is accepted again."""
    stage.says = f"{illness.says} Over: it recovers."
    accepted = stage.ledger.count(ACCEPTED)
    yield from _until(
        lambda: stage.settled or stage.ledger.count(ACCEPTED) > accepted,
        PATIENCE_SECONDS,
        f"nothing is accepted any more after this: {illness.says}",
    )


def _settle(stage: Stage, says: str) -> Moments:
    stage.scene, stage.says = "settle", says
    patience = PATIENCE_SECONDS + stage.expected / MESSAGES_A_SECOND
    yield from _until(lambda: stage.settled, patience, "messages are still on their way")


def _until(condition: Callable[[], bool], seconds: float, otherwise: str) -> Moments:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TooSlowError(f"{otherwise}, {seconds:.0f} s on")
        yield


def _pause(seconds: float) -> Moments:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
