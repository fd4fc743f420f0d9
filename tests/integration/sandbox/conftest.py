"""A sandbox in the test's own event loop, and how to talk to it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from pipeline.sandbox.config import Limits, SandboxConfig
from pipeline.sandbox.server import make_app

KEY = "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A sandbox and a session that knows its key."""

    session: aiohttp.ClientSession

    async def send(
        self, endpoint: str, body: Any, *, key: str = KEY, strict: bool = True, **headers: str
    ) -> tuple[int, Any]:
        """Status and body of a POST to the API."""
        headers["Authorization"] = aiohttp.encode_basic_auth(key, "")
        if strict:
            headers["X-Strict-Mode"] = "1"
        given = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.session.post(f"/v1/{endpoint}", headers=headers, **given) as response:
            return response.status, await response.json()

    async def batch(self, *calls: dict[str, Any], **options: Any) -> tuple[int, Any]:
        """Status and body of a batch."""
        return await self.send("batch", {"batch": calls}, **options)

    async def ask(self, path: str, **query: Any) -> Any:
        """The answer to a question."""
        async with self.session.get(f"/_sandbox/{path}", params=query) as response:
            response.raise_for_status()
            return await response.json()

    async def fail(self, **failure: Any) -> int:
        """Schedule a failure; its status."""
        async with self.session.post("/_sandbox/failures", json=failure) as response:
            return response.status


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Awaitable[Talk]]]:
    """Starts sandboxes, each with what the test gives."""
    open_sessions: list[tuple[aiohttp.ClientSession, TestServer]] = []

    async def begin(**config: Any) -> Talk:
        given = {"database": None, "write_keys": (KEY,), "limits": Limits(), **config}
        server = TestServer(make_app(SandboxConfig(**given)))
        await server.start_server(auto_decompress=False)
        session = aiohttp.ClientSession(str(server.make_url("/")))
        open_sessions.append((session, server))
        return Talk(session=session)

    yield begin
    for session, server in open_sessions:
        await session.close()
        await server.close()


@pytest.fixture
async def sandbox(start: Callable[..., Awaitable[Talk]]) -> Talk:
    """One with the published limits, in memory."""
    return await start()
