"""What waits to be sent, and one step of sending it: rounds, illness, and the spool behind them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from statistics import median
from typing import Final

import pybreaker

from pipeline.client.message import Message
from pipeline.client.options import Options
from pipeline.client.result import Refusal, Result
from pipeline.client.round import DEADLINE, Round, arranged, sealed, send_round, told
from pipeline.client.spool import Spool
from pipeline.client.unspool import Unspool
from pipeline.core.outcome import Held, Retryable
from pipeline.core.rate import adapt
from pipeline.delivery.attempt import Attempts
from pipeline.delivery.deliver import DRIVER_PROBES
from pipeline.delivery.limiter import Limiter
from pipeline.delivery.probe import ask, healthy
from pipeline.delivery.task import Task
from pipeline.delivery.transport import Transport
from pipeline.log import logger

ANY_FAILURE: Final = "failing"
"""Whatever is sent fails, though a probe does not."""
KEPT: Final = 1000
"""Refusals of which more than the number is kept."""
ROUND_BYTES: Final = 16_000_000


@dataclass(slots=True)
class Outbox:
    """Calls on their way. One step at a time: whoever calls `step` holds a lock."""

    transport: Transport
    options: Options
    spool: Spool | None
    ill: str | None = None
    """Why the destination can't be reached."""
    waiting: list[Message] = field(default_factory=list)
    _bytes: int = 0
    _not_before: float = 0.0
    _rate: float | None = None
    _breaker: pybreaker.CircuitBreaker = field(init=False)
    _accepted: int = 0
    _refused: int = 0
    _requests: int = 0
    _refusals: list[Refusal] = field(default_factory=list)
    _unspool: Unspool | None = None

    def __post_init__(self) -> None:
        """Begin well."""
        self._breaker = self._closed()
        if self.spool is not None:
            self._unspool = Unspool(self.spool, self.options.retry, self._send_spooled, self._well)

    @property
    def empty(self) -> bool:
        """Whether nothing waits, here or in the spool."""
        return not self.waiting and (self.spool is None or self.spool.oldest() is None)

    @property
    def full(self) -> bool:
        """Whether a round can be filled."""
        return len(self.waiting) >= self.options.client.round_calls or self._bytes >= ROUND_BYTES

    def take_in(self, message: Message) -> None:
        """Put a call at the end."""
        self.waiting.append(message)
        self._bytes += len(message.body)

    def report(self, *, peek: bool = False) -> Result:
        """What became of the calls since the last report, and what waits now."""
        result = Result(
            accepted=self._accepted,
            refused=self._refused,
            waiting=len(self.waiting),
            spooled=self.spool.calls if self.spool is not None else 0,
            requests=self._requests,
            ill=self.ill or (self._unspool.trouble if self._unspool is not None else None),
            refusals=tuple(self._refusals),
        )
        if not peek:
            self._accepted = self._refused = self._requests = 0
            self._refusals.clear()
        return result

    async def step(self) -> bool:
        """Send what comes next; whether there is more, and a destination to send it to."""
        if self.empty:
            return False
        if self.ill is not None and not await self._well():
            self._spill()
            return False
        if self._unspool is not None and self._unspool.spool.oldest() is not None:
            return await self._step_of_spool(self._unspool)
        messages, roots = arranged(self._take())
        await self._send(messages, roots, self._put_back)
        if self.ill is not None:
            self._spill()
        return self.ill is None and not self.empty

    async def _step_of_spool(self, unspool: Unspool) -> bool:
        """Send a file of the spool; calls that wait here go behind what can't be sent of it."""
        went = await unspool.step()
        if went is None and self.waiting:
            self._spill()
            went = await unspool.step()
        refused, refusals = unspool.report()
        self._refused += refused
        self._refusals += refusals[: KEPT - len(self._refusals)]
        if went is False:
            if self.ill is None:
                self._fall_ill(unspool.trouble or ANY_FAILURE, timedelta())
            self._spill()
        return bool(went) and not self.empty

    async def _send_spooled(
        self, messages: Sequence[Message], keep: Callable[[Sequence[Message]], None]
    ) -> Round:
        return await self._send(messages, [""] * len(messages), keep)

    async def _send(
        self,
        messages: Sequence[Message],
        roots: Sequence[str],
        keep: Callable[[Sequence[Message]], None],
    ) -> Round:
        """Send messages; what is left of them is kept, also where somebody cancels meanwhile."""
        top = self.options.top_rate
        rate = self._rate or top
        pace = self.options.pace(rate)
        task = Task(sealed(messages, roots), pace, waive_ratio=True)
        attempts = Attempts(
            transport=self.transport,
            limiter=Limiter(rate, time.monotonic),
            breaker=self._breaker,
            pace=pace,
            deadline=self.options.deadline(),
            clock=time.time,
            sleep=asyncio.sleep,
        )
        try:
            await send_round(task, attempts)
        finally:
            done = told(messages, task)
            keep(done.left)
            self._note(done)
            self._keep_refused(done.refused)
        if task.requests:
            policy = self.options.rate
            slow = median(row.sent.seconds for row in task.requests) > policy.slow_seconds
            self._rate = adapt(policy, rate, top, trouble=done.trouble or slow)
        return done

    def _note(self, done: Round) -> None:
        self._accepted += done.accepted
        self._refused += len(done.refusals)
        self._requests += done.requests
        self._refusals += done.refusals[: KEPT - len(self._refusals)]
        if done.reason is not None and done.reason != DEADLINE:
            self._fall_ill(done.reason, done.retry_after)

    def _fall_ill(self, reason: str, retry_after: timedelta) -> None:
        if self.ill is None:
            logger().warning("client.held", reason=reason, waiting=len(self.waiting))
        self.ill = reason
        self._not_before = time.monotonic() + retry_after.total_seconds()

    async def _well(self) -> bool:
        """Whether the destination is well again; asked with one harmless request."""
        pause = self._not_before - time.monotonic()
        if pause > self.options.delivery.quick.wait_max.total_seconds():
            return False  # it asked to be left alone for longer
        await asyncio.sleep(max(pause, 0))
        outcome = await ask(self.transport)
        self._requests += 1
        if healthy(outcome):
            logger().info("client.goes_on")
            self.ill, self._breaker = None, self._closed()
            return True
        match outcome:
            case Retryable(reason=reason, retry_after=retry_after):
                self._fall_ill(reason, retry_after)
            case Held(reason=reason):
                self._fall_ill(reason, timedelta())
            case _:
                pass
        return False

    def _closed(self) -> pybreaker.CircuitBreaker:
        """A circuit that stays open once it is: `_well` alone probes."""
        return pybreaker.CircuitBreaker(
            fail_max=self.options.delivery.breaker.failures,
            reset_timeout=DRIVER_PROBES.total_seconds(),
        )

    def _take(self) -> list[Message]:
        """The next round's calls."""
        size = 0
        count = 0
        for message in islice(self.waiting, self.options.client.round_calls):
            size += len(message.body)
            count += 1
            if size >= ROUND_BYTES:
                break
        taken = self.waiting[:count]
        del self.waiting[:count]
        self._bytes -= size
        return taken

    def _put_back(self, left: Sequence[Message]) -> None:
        self.waiting[:0] = left
        self._bytes += sum(len(message.body) for message in left)

    def _spill(self) -> None:
        """What waits goes into the spool, if there is one; what can't be written stays here."""
        if self.spool is None or not self.waiting:
            return
        messages, _ = arranged(self.waiting)
        try:
            self.spool.add(messages, self.options.limits.batch_bytes)
        except OSError as error:
            logger().error("client.spool_failed", waiting=len(messages), error=error.strerror)
            return
        logger().warning("client.spooled", calls=len(messages))
        self.waiting.clear()
        self._bytes = 0

    def _keep_refused(self, messages: Sequence[Message]) -> None:
        """What was refused stays in the spool's folder, for whoever wants to look at it."""
        if self.spool is None or not messages:
            return
        try:
            self.spool.keep_refused(messages, self.options.limits.batch_bytes)
        except OSError as error:
            logger().error("client.spool_failed", refused=len(messages), error=error.strerror)
