"""Send one request with the few quick attempts that a slice allows.

Full jitter, Retry-After honoured where it is short enough, and a circuit breaker around it all.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pybreaker
import tenacity

from pipeline.core.outcome import Held, Outcome, Retryable
from pipeline.core.wire import Answer, NoAnswer, Request, classify
from pipeline.delivery.limiter import Limiter
from pipeline.delivery.plan import Pace
from pipeline.delivery.transport import Transport


class _FailureCounted(Exception):  # noqa: N818  never leaves this module
    """Tells the breaker that a request failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request that was sent, as the request log wants it."""

    at: float
    """Seconds since the epoch."""
    seconds: float
    status: int | None
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """How this task sends a request."""

    transport: Transport
    limiter: Limiter
    breaker: pybreaker.CircuitBreaker
    pace: Pace
    deadline: float
    clock: Callable[[], float]
    """Seconds since the epoch."""
    sleep: Callable[[float], Awaitable[None]]

    async def send(self, request: Request, log: Callable[[Sent], None]) -> Outcome:
        """What became of the request after at most `quick_attempts`; each is logged.

        `Held` when the circuit is open or the deadline has passed: nothing more was sent, the
        calls stay unsent, and their repeat carries the same ids.
        """
        retrying = tenacity.AsyncRetrying(
            stop=self._stop,
            wait=self._wait,
            retry=tenacity.retry_if_result(lambda outcome: isinstance(outcome, Retryable)),
            sleep=self.sleep,
            retry_error_callback=_last,
        )
        outcome: Outcome = await retrying(self._once, request, log)
        return outcome

    async def _once(self, request: Request, log: Callable[[Sent], None]) -> Outcome:
        await self.limiter.take()
        at = self.clock()
        if at > self.deadline:
            return Held(reason="deadline")
        outcome: Outcome = Held(reason="circuit_open")
        try:
            with self.breaker.calling():
                answer = await self.transport.post(request)
                outcome = classify(answer, datetime.now(UTC), request.body)
                log(
                    Sent(
                        at=at,
                        seconds=self.clock() - at,
                        status=_status(answer),
                        outcome=outcome,
                    )
                )
                if isinstance(outcome, Retryable):
                    raise _FailureCounted  # noqa: TRY301  the breaker counts what is raised
        except (_FailureCounted, pybreaker.CircuitBreakerError):
            pass
        return outcome

    def _stop(self, state: tenacity.RetryCallState) -> bool:
        """Enough attempts, an open circuit, or a wait that does not fit into the slice."""
        if state.attempt_number >= self.pace.quick_attempts:
            return True
        if self.breaker.current_state == pybreaker.STATE_OPEN:
            return True
        asked = _asked(state)
        longest = max(asked, self.pace.quick_max.total_seconds())
        return asked > self.pace.quick_max.total_seconds() or self.clock() + longest > self.deadline

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Full jitter below a doubling ceiling; never less than the server asked for."""
        initial = self.pace.quick_initial.total_seconds()
        top = min(initial * 2 ** (state.attempt_number - 1), self.pace.quick_max.total_seconds())
        return max(_asked(state), random.uniform(0, top))  # noqa: S311  jitter, no secret


def _asked(state: tenacity.RetryCallState) -> float:
    """Seconds that the server asked to wait."""
    outcome = _last(state)
    return outcome.retry_after.total_seconds() if isinstance(outcome, Retryable) else 0.0


def _last(state: tenacity.RetryCallState) -> Outcome:
    if state.outcome is None:
        raise RuntimeError("an attempt has ended without an outcome")
    outcome: Outcome = state.outcome.result()
    return outcome


def _status(answer: Answer | NoAnswer) -> int | None:
    match answer:
        case Answer(status=status):
            return status
        case NoAnswer():
            return None
