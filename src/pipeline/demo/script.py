"""The script of the show: what happens, in order. Each `yield` lets a moment pass."""

import time
from collections.abc import Callable, Iterator
from typing import Final

from pipeline.demo.ledger import ACCEPTED
from pipeline.demo.outage import ILLNESSES, Illness
from pipeline.demo.stage import Stage
from pipeline.demo.upstream import DOWN, SCENES, Scene

COMMIT_SECONDS: Final = 0.4
"""Between two commits."""
LATE_COMMIT_SECONDS: Final = 1.0
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
        yield from _play(stage, scene, COMMIT_SECONDS)
    yield from _settle(stage, "Everything up to here is delivered before the weather turns.")
    yield from _outage(stage)
    yield from _settle(stage, "Customer.io is well again: drain empties the retry queue.")


def _play(stage: Stage, scene: Scene, seconds: float) -> Moments:
    stage.scene, stage.says = scene.name, scene.says
    for written in scene.play(stage.shop):
        stage.note(written)
        yield from _pause(seconds)


def _outage(stage: Stage) -> Moments:
    """Upstream goes on writing while one illness follows the other."""
    writing = _play(stage, DOWN, LATE_COMMIT_SECONDS)
    for illness in ILLNESSES:
        yield from _ill(stage, illness, writing)
    yield from writing


def _ill(stage: Stage, illness: Illness, writing: Moments) -> Moments:
    """One illness, and the time until something is accepted after it."""
    for failure in illness.failures:
        stage.sandbox.client.fail(failure)
    for _ in _pause(max(failure.seconds or 0.0 for failure in illness.failures)):
        next(writing, None)
        stage.scene, stage.says = DOWN.name, illness.says
        yield
    accepted = stage.ledger.count(ACCEPTED)
    for _ in _until(
        lambda: stage.ledger.count(ACCEPTED) > accepted or stage.settled,
        PATIENCE_SECONDS,
        f"nothing is accepted any more after this: {illness.says}",
    ):
        next(writing, None)
        stage.scene, stage.says = DOWN.name, f"{illness.says} Over: it recovers."
        yield


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
