"""The client without `await`: for notebooks and scripts. A thread of its own does the waiting."""

import asyncio
import atexit
import threading
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import SecretStr

from pipeline.client.client import CustomerIO
from pipeline.client.options import Options
from pipeline.client.reserved import ReservedCalls
from pipeline.client.result import Result
from pipeline.core.api.calls import CallBase
from pipeline.core.cipher import Keyring
from pipeline.log import logger
from pipeline.settings import Settings

T = TypeVar("T")


class SyncCustomerIO(ReservedCalls[str]):
    """As `CustomerIO`, with plain calls: `with SyncCustomerIO(key) as cio`, or until `close()`.

    Calls come back at once with their message id, and are sent in the background; `flush()` waits
    for them and says what became of them.
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
        self._start(
            CustomerIO(
                write_key,
                region=region,
                base_url=base_url,
                spool=spool,
                keys=keys,
                options=options,
            )
        )

    @classmethod
    def from_settings(
        cls, settings: Settings | Path | str, *, spool: Path | str | None = None
    ) -> Self:
        """As `CustomerIO.from_settings`."""
        made = cls.__new__(cls)
        made._start(CustomerIO.from_settings(settings, spool=spool))  # noqa: SLF001  our own
        return made

    def __repr__(self) -> str:
        """Where it sends to, and what waits."""
        return f"Sync{self._client!r}"

    def __enter__(self) -> Self:
        """Nothing more: it works from the start."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close; a failure of the block stays the one that is seen."""
        self._stop(failed=kind is not None)

    def close(self) -> None:
        """Send what waits, and end the thread; can be called again.

        Raises:
            UndeliveredError: calls would be lost, or were refused, and nobody was told so far.
        """
        self._stop(failed=False)

    def flush(self) -> Result:
        """Send all that waits; what became of the calls since the last flush."""
        return self._wait(self._client.flush())

    def batch(self, calls: Iterable[CallBase | Mapping[str, Any]]) -> list[str]:
        """Several calls, as models or in the API's own words; all are taken, or none."""
        return self._wait(self._client.batch(calls))

    def _put(self, model: type[CallBase], fields: dict[str, Any]) -> str:
        return self._wait(self._client._put(model, fields))  # noqa: SLF001  its other face

    def _start(self, client: CustomerIO) -> None:
        self._client = client
        self._opened: Future[asyncio.AbstractEventLoop] = Future()
        self._ended: Future[None] = Future()
        threading.Thread(target=self._run, name="customerio", daemon=True).start()
        self._loop = self._opened.result()
        atexit.register(self._not_closed)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  told to whoever waits
            waits = self._ended if self._opened.done() else self._opened
            waits.set_exception(error)
        else:
            self._ended.set_result(None)

    async def _serve(self) -> None:
        self._leave = asyncio.Event()
        async with self._client:
            self._opened.set_result(asyncio.get_running_loop())
            await self._leave.wait()

    def _wait(self, asked: Coroutine[Any, Any, T]) -> T:
        if self._ended.done():
            asked.close()
            why = self._ended.exception()
            raise RuntimeError("this client is closed; make a new one") from why
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()

    def _stop(self, *, failed: bool) -> None:
        if not self._ended.done():
            self._loop.call_soon_threadsafe(self._leave.set)
        error = self._ended.exception()
        atexit.unregister(self._not_closed)
        if error is not None and not failed:
            self._ended = Future()
            self._ended.set_result(None)
            raise error

    def _not_closed(self) -> None:
        if self._client.waiting:
            logger().error("client.not_closed", waiting=self._client.waiting)
