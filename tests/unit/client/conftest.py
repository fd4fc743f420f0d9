"""A destination in memory, and an outbox that sends to it."""

import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.client.message import Message, seal
from pipeline.client.options import Options
from pipeline.client.outbox import Outbox
from pipeline.client.spool import Spool
from pipeline.core.api.calls import Track
from pipeline.core.api.limits import DEFAULT_LIMITS
from pipeline.core.cipher import keyring
from pipeline.core.rate import RatePolicy
from pipeline.core.wire import Answer, NoAnswer, Request
from pipeline.settings import Breaker, Delivery, QuickAttempts

KEYS = keyring(b"k" * 32)
OK = Answer(status=200, retry_after=None, text="{}")


class Destination:
    """Answers by a rule, and remembers what it took."""

    def __init__(self) -> None:
        self.answer: Callable[[Request], Answer | NoAnswer] = lambda _: OK
        self.requests: list[Request] = []
        self.probes = 0

    async def post(self, request: Request) -> Answer | NoAnswer:
        if request.body == b'{"batch":[]}':
            self.probes += 1
            answer = self.answer(request)
            return Answer(status=400, retry_after=None, text="empty") if answer == OK else answer
        answer = self.answer(request)
        if answer == OK:
            self.requests.append(request)
        return answer

    @property
    def calls(self) -> list[dict]:
        """The calls that were accepted, in order."""
        return [call for request in self.requests for call in calls_of(request)]


def calls_of(request: Request) -> list[dict]:
    body = json.loads(request.body)
    return body["batch"] if request.endpoint == "batch" else [body]


def message(user_id: str = "1", event: str = "e", **fields) -> Message:
    return seal(Track, {"userId": user_id, "event": event, **fields}, DEFAULT_LIMITS)


QUICK = Options(
    rate=RatePolicy(requests=100_000, window_seconds=1),
    delivery=Delivery(
        quick=QuickAttempts(wait_initial=timedelta(0), wait_max=timedelta(0)),
        breaker=Breaker(failures=3),
    ),
)


@pytest.fixture
def destination() -> Destination:
    return Destination()


@pytest.fixture
def box(destination) -> Outbox:
    return Outbox(destination, QUICK, None)


@pytest.fixture
def spool(tmp_path: Path) -> Iterable[Spool]:
    with Spool(tmp_path / "spool", KEYS) as spool:
        yield spool


@pytest.fixture
def spooling(destination, spool) -> Outbox:
    return Outbox(destination, QUICK, spool)


async def drain(box: Outbox) -> None:
    while await box.step():
        pass
