"""The client: takes calls, and sends them in rounds, as the streams send their slices."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import SecretStr

from pipeline.client.message import Message, seal, seal_all
from pipeline.client.options import Options, options
from pipeline.client.outbox import Outbox
from pipeline.client.reserved import ReservedCalls
from pipeline.client.result import Result, UndeliveredError
from pipeline.client.spool import Spool
from pipeline.core.api.calls import CallBase
from pipeline.core.cipher import Keyring
from pipeline.delivery.transport import HttpTransport
from pipeline.keys import load_keys
from pipeline.log import logger
from pipeline.settings import Settings, load_settings

ADVICE = "correct the cause and flush() again before leaving, or give the client a spool=folder"


class CustomerIO(ReservedCalls[Coroutine[Any, Any, str]]):
    """Every call of the API, typed, sent in batches, in order for each person and object.

    Args:
        write_key: The write key of your Data Pipelines source in Customer.io.
        region: `us` or `eu`.
        base_url: Another address than the region's, such as a sandbox's.
        spool: A folder that keeps calls, encrypted, while the API can't be reached.
        keys: What the spool is encrypted with.
        options: Limits, rate, retries and batching; the defaults are the streams'.

    Raises:
        SpoolError: a spool is wanted without keys.
    """

    def __init__(
        self,
        write_key: SecretStr | str,
        *,
        region: Literal["us", "eu"] | None = None,
        base_url: str | None = None,
        spool: Path | str | None = None,
        keys: Keyring | None = None,
        options: Options | None = None,
    ) -> None:
        key = write_key if isinstance(write_key, SecretStr) else SecretStr(write_key)
        if not key.get_secret_value().strip():
            raise ValueError(
                "write_key is empty: it is the write key of your Data Pipelines source in "
                "Customer.io (Integrations, your source, Settings)"
            )
        self._key = key
        self._options = (options or Options()).at(region, base_url)
        folder = spool if spool is not None else self._options.client.spool
        self._spool = Spool(Path(folder), keys) if folder is not None else None
        self._stack: AsyncExitStack | None = None
        self._box: Outbox | None = None

    @classmethod
    def from_settings(
        cls, settings: Settings | Path | str, *, spool: Path | str | None = None
    ) -> Self:
        """A client for a target: its settings (`conf/prod.yml`), its keys, its destination.

        Raises:
            SettingsError, KeysError: they can't be used.
        """
        read = settings if isinstance(settings, Settings) else load_settings(Path(settings))
        secrets = load_keys(read.keys)
        return cls(
            secrets.api_key,
            spool=spool,
            keys=secrets.payload_keys,
            options=options(read),
        )

    @property
    def waiting(self) -> int:
        """Calls in memory that were not sent yet."""
        return len(self._box.waiting) if self._box is not None else 0

    def __repr__(self) -> str:
        """Where it sends to, and what waits."""
        waiting = f", {self.waiting:,} waiting" if self.waiting else ""
        return f"{type(self).__name__}({self._options.destination.url}{waiting})"

    async def __aenter__(self) -> Self:
        """Open connections and the spool, and begin to send what is there."""
        async with AsyncExitStack() as stack:
            spool = stack.enter_context(self._spool) if self._spool is not None else None
            target = self._options.target(self._key)
            transport = await stack.enter_async_context(
                HttpTransport(target, self._options.delivery.lanes)
            )
            self._box = Outbox(transport, self._options, spool)
            self._sending = asyncio.Lock()
            self._something, self._full = asyncio.Event(), asyncio.Event()
            group = await stack.enter_async_context(asyncio.TaskGroup())
            sender = group.create_task(self._send_on())
            stack.callback(sender.cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Send what waits, and close.

        Raises:
            UndeliveredError: calls would be lost, or were refused, and nobody was told so far.
        """
        if self._stack is None:
            return
        try:
            result = await self.flush()
        finally:
            await self._stack.aclose()
            self._stack = self._box = None
        if result.waiting or result.refused:
            if kind is None:
                raise UndeliveredError(result, ADVICE)
            logger().error("client.undelivered", waiting=result.waiting, refused=result.refused)

    async def flush(self) -> Result:
        """Send all that waits; what became of the calls since the last flush."""
        box = self._outbox()
        async with self._sending:
            while await box.step():
                pass
            return box.report()

    async def batch(self, calls: Iterable[CallBase | Mapping[str, Any]]) -> list[str]:
        """Several calls, as models or in the API's own words; all are taken, or none."""
        messages = seal_all(calls, self._options.limits)
        for message in messages:
            await self._take(message)
        return [message.id for message in messages]

    async def _put(self, model: type[CallBase], fields: dict[str, Any]) -> str:
        message = seal(model, fields, self._options.limits)
        await self._take(message)
        return message.id

    async def _take(self, message: Message) -> None:
        box = self._outbox()
        most = self._options.client.waiting_calls
        if len(box.waiting) >= most:
            async with self._sending:
                await box.step()
            if len(box.waiting) >= most:
                raise UndeliveredError(box.report(peek=True), f"no more is taken now; {ADVICE}")
        box.take_in(message)
        self._something.set()
        if box.full:
            self._full.set()
            await asyncio.sleep(0)  # lets the sender begin

    async def _send_on(self) -> None:
        """Send in the background: when a round is full, or its first call has waited enough."""
        box = self._outbox()
        breaker = self._options.delivery.breaker
        linger = self._options.client.linger.total_seconds()
        pause = linger
        if not box.empty:
            self._something.set()  # a spool from before
        while True:
            await self._something.wait()
            if box.ill is None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), linger)
            else:
                await asyncio.sleep(pause)
            async with self._sending:
                while await box.step():
                    pass
            self._full.clear()
            if box.empty:
                self._something.clear()
            longer = max(pause * 2, breaker.probe_initial.total_seconds())
            longest = breaker.probe_max.total_seconds()
            pause = linger if box.ill is None else min(longer, longest)

    def _outbox(self) -> Outbox:
        if self._box is None:
            raise RuntimeError(
                "use the client inside its context: async with CustomerIO(...) as cio"
            )
        return self._box
