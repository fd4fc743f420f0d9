"""Send what is in the spool, in order, past calls that fail by themselves.

A request that fails while the destination answers a probe is parted until the call that fails
stands alone. That call bars what it names: later calls about the same person or object wait, all
others go on. It is tried again later, and that counts only where others were accepted meanwhile,
as in the streams. After the last attempt it is set aside as dead, and what waited goes on.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from random import random
from typing import Final

from pipeline.client.message import Message, names
from pipeline.client.result import Refusal
from pipeline.client.round import DEADLINE, Round
from pipeline.client.spool import Spool, SpoolFile
from pipeline.core.api.calls import CallBase
from pipeline.core.api.check import check
from pipeline.core.retry import RetryPolicy, exhausted, next_attempt_at

AT_MOST: Final = 3
"""Files that fail one after the other with nothing accepted: then it is the destination."""
UNNAMED: Final = frozenset({""})
OWN: Final = frozenset({"timeout", "reset"})
Keep = Callable[[Sequence[Message]], None]
Send = Callable[[Sequence[Message], Keep], Awaitable[Round]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """Calls of a file that failed, each alone."""

    ids: frozenset[str]
    reason: str


@dataclass(slots=True)
class Unspool:
    """The spool on its way: what goes next, and what fails by itself."""

    spool: Spool
    retry: RetryPolicy
    send: Send
    well: Callable[[], Awaitable[bool]]
    """Whether the destination answers a probe as it should."""
    refusals: list[Refusal] = field(default_factory=list)
    """What was set aside, for the next report."""
    refused: int = 0
    """How many calls those are."""
    clock: Callable[[], float] = time.monotonic
    _due: dict[str, float] = field(default_factory=dict)
    """By file: when it may be tried again."""
    _suspects: dict[str, Suspect] = field(default_factory=dict)
    """By file: what failed since something was accepted."""

    @property
    def trouble(self) -> str | None:
        """Why a file fails that others are sent past, if there is one."""
        for file in self.spool.waiting:
            suspect = self._suspects.get(file.path.name)
            if suspect is not None or file.attempts:
                return suspect.reason if suspect is not None else file.reason
        return None

    async def step(self) -> bool | None:
        """Send what may go of the next file; False where the destination is ill, None at the end.

        Raises:
            OSError: the folder cannot be written.
        """
        barred: set[str] = set()
        for file in self.spool.waiting:
            messages = self.spool.read(file)
            if messages is None:
                self._damaged(file)
                return True
            if self._due.get(file.path.name, 0) > self.clock():
                barred.update(*map(named, messages))
            elif free := free_of(messages, barred):
                return await self._send_free(file, messages, free)
        return None

    async def _send_free(
        self, file: SpoolFile, messages: Sequence[Message], free: Sequence[Message]
    ) -> bool:
        """Send what may go of a file, all at once or, where that fails, in ever smaller parts."""
        name = file.path.name
        self._suspects.pop(name, None)
        self._due.pop(name, None)
        left = {message.id: message for message in messages}
        todo = deque([[message] for message in free] if file.attempts else [list(free)])
        failed: dict[str, str] = {}
        barred: set[str] = set()
        accepted = vain = 0
        while todo:
            part = free_of(todo.popleft(), barred)
            if not part:
                continue
            done = await self.send(part, partial(self._keep, name, left, part))
            accepted += done.accepted
            if not done.left:
                continue
            if done.reason == DEADLINE:
                return True
            if done.reason is None or not own(done.reason) or not await self.well():
                return False
            vain = 0 if accepted else vain + 1
            if vain > len(free).bit_length() + 1:
                return False
            if len(part) > 1:
                middle = len(part) // 2
                todo.extendleft((part[middle:], part[:middle]))
            else:
                failed[part[0].id] = done.reason
                barred |= named(part[0])
        if failed:
            reason = next(iter(failed.values()))
            self._suspects[name] = Suspect(ids=frozenset(failed), reason=reason)
            self._put_off(name, file.attempts + 1)
        if accepted:
            self._count()
        return self._plausible()

    def _keep(
        self, name: str, left: dict[str, Message], part: Sequence[Message], rest: Sequence[Message]
    ) -> None:
        """Keep of a file what is *left* of it, now that of *part* only *rest* is."""
        for message in {one.id for one in part} - {one.id for one in rest}:
            del left[message]
        file = self._file(name)
        self.spool.settle(file, list(left.values()), attempts=file.attempts, reason=file.reason)

    def _count(self) -> None:
        """Others were accepted: so what failed did so by itself."""
        for name, suspect in self._suspects.items():
            file = self._file(name)
            messages = self.spool.read(file) or []
            attempts = file.attempts + 1
            if not exhausted(self.retry, attempts):
                self.spool.settle(file, messages, attempts=attempts, reason=suspect.reason)
                continue
            for message in messages:
                if message.id in suspect.ids:
                    self.spool.keep_dead(message, attempts, suspect.reason)
                    self.refused += 1
                    self.refusals.append(_dead(message, attempts, suspect.reason))
            self.spool.settle(file, [one for one in messages if one.id not in suspect.ids])
            del self._due[name]
        self._suspects.clear()

    def _plausible(self) -> bool:
        """Whether it can still be the calls' fault; where it is not, they are not to wait."""
        if len(self._suspects) < AT_MOST:
            return True
        for name in self._suspects:
            del self._due[name]
        self._suspects.clear()
        return False

    def _put_off(self, name: str, failures: int) -> None:
        now = datetime.now(UTC)
        again = next_attempt_at(self.retry, failures, now, jitter=random())  # noqa: S311  no secret
        self._due[name] = self.clock() + (again - now).total_seconds()

    def _file(self, name: str) -> SpoolFile:
        return next(file for file in self.spool.waiting if file.path.name == name)

    def report(self) -> tuple[int, list[Refusal]]:
        """What was set aside since the last report."""
        found = self.refused, list(self.refusals)
        self.refused = 0
        self.refusals.clear()
        return found

    def _damaged(self, file: SpoolFile) -> None:
        self.refused += file.calls
        self.refusals.append(
            Refusal(
                message_id=file.path.stem,
                call_type="spool",
                event=None,
                reason="damaged",
                detail=f"{file.calls} calls; the file was changed and is set aside",
            )
        )


def named(message: Message) -> frozenset[str]:
    """Whom and what a call of the spool names; those that name nothing share their order."""
    call = check(message.body)
    return frozenset(names(call) if isinstance(call, CallBase) else ()) or UNNAMED


def free_of(messages: Sequence[Message], barred: set[str]) -> list[Message]:
    """Those that name nothing barred; what the others name is barred from then on."""
    if not barred:
        return list(messages)
    free = []
    for message in messages:
        about = named(message)
        if barred & about:
            barred |= about
        else:
            free.append(message)
    return free


def own(reason: str) -> bool:
    """Whether a failure may be the call's own, and not only the destination's or the network's."""
    return reason in OWN or reason.startswith("http_5")


def _dead(message: Message, attempts: int, reason: str) -> Refusal:
    return Refusal(
        message_id=message.id,
        call_type=message.call_type,
        event=message.event,
        reason=reason,
        detail=f"{attempts} times, while others were accepted; set aside as dead",
    )
