"""Ask the destination whether it is well: one harmless request, from the driver alone."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pybreaker

from pipeline.core.outcome import Accepted, Held, Mixed, Outcome, Rejected, Retryable
from pipeline.core.wire import classify, probe_request
from pipeline.delivery.plan import Target
from pipeline.delivery.transport import HttpTransport, Transport


class _FailedError(Exception):
    """The probe failed; tells the breaker."""


class Probe:
    """The driver's circuit: open while the destination is ill; half-open lets one probe through."""

    def __init__(self, target: Callable[[], Target]) -> None:
        self._target = target
        self._breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=0)
        self._breaker.open()

    @property
    def circuit(self) -> str:
        """closed, open or half-open."""
        return str(self._breaker.current_state)

    def well(self) -> bool:
        """Send one probe. Refused for its content is what a healthy destination answers to it."""
        try:
            with self._breaker.calling():
                if not asyncio.run(self._well()):
                    raise _FailedError  # noqa: TRY301  the breaker counts what is raised
        except (_FailedError, pybreaker.CircuitBreakerError):
            return False
        return True

    async def _well(self) -> bool:
        async with HttpTransport(self._target(), connections=1) as transport:
            return healthy(await ask(transport))


async def ask(transport: Transport) -> Outcome:
    """What becomes of one harmless request."""
    return classify(await transport.post(probe_request()), datetime.now(UTC))


def healthy(outcome: Outcome) -> bool:
    """Refused for its content is what a healthy destination answers to a probe."""
    match outcome:
        case Accepted() | Rejected() | Mixed():
            return True
        case Retryable() | Held():
            return False
