"""Serve the sandbox over HTTP."""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from pipeline.sandbox import failures, questions
from pipeline.sandbox.config import BODY_BYTES_MAX, SandboxConfig
from pipeline.sandbox.page import index
from pipeline.sandbox.rate import RateWindow
from pipeline.sandbox.receive import SANDBOX, Sandbox, receive
from pipeline.sandbox.store import Store

LISTENING: Final = "sandbox listening on "
"""How the one line begins that says where the sandbox listens."""
_SHUTDOWN_SECONDS: Final = 2.0


def make_app(config: SandboxConfig) -> web.Application:
    """The sandbox as an application; it opens its database when it starts.

    Run it with `auto_decompress=False`: it reads compressed bodies itself, since the server would
    break the connection where one is damaged.
    """
    app = web.Application(client_max_size=BODY_BYTES_MAX)

    async def run(app: web.Application) -> AsyncIterator[None]:
        limits = config.limits
        sandbox = Sandbox(
            config=config,
            store=Store(config.database),
            window=RateWindow(limits.rate_requests, limits.rate_seconds),
        )
        for failure in config.failures:
            sandbox.schedule(failure)
        app[SANDBOX] = sandbox
        flushing = asyncio.create_task(_flush(sandbox))
        try:
            yield
        finally:
            flushing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await flushing
            sandbox.store.close()

    async def release(app: web.Application) -> None:
        app[SANDBOX].closing.set()

    app.cleanup_ctx.append(run)
    app.on_shutdown.append(release)
    app.router.add_get("/", index)
    app.router.add_post("/v1/{endpoint}", receive)
    app.router.add_routes(questions.routes)
    app.router.add_routes(failures.routes)
    return app


async def _flush(sandbox: Sandbox) -> None:
    while True:
        await asyncio.sleep(sandbox.config.flush_seconds)
        sandbox.store.flush()


async def serve(config: SandboxConfig) -> None:
    """Serve until SIGTERM or SIGINT; then write everything and return."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # A batch makes thousands of short-lived tuples and no cycles: collect seldom.
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    runner = web.AppRunner(
        make_app(config),
        access_log=None,
        auto_decompress=False,
        shutdown_timeout=_SHUTDOWN_SECONDS,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, config.host, config.port).start()
        host, port = runner.addresses[0][:2]
        sys.stdout.write(f"{LISTENING}http://{host}:{port}\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await runner.cleanup()
