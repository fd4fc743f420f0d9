"""Serve the dashboards, live: one thread reads and draws, and requests get what is drawn."""

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web
from pyspark.sql import SparkSession

from pipeline.log import logger
from pipeline.operations.dashboard.fill import Filled, fill
from pipeline.operations.dashboard.guard import guard, loopback
from pipeline.operations.dashboard.page import aged, headline, main, page
from pipeline.operations.dashboard.read import FIRST, Dashboard
from pipeline.settings import Settings
from pipeline.tables.layout import layout

LOOKED_AT: Final = timedelta(minutes=2)


@dataclass(slots=True)
class Board:
    """The dashboards as they were drawn last. Pages are replaced whole, never changed."""

    spark: SparkSession
    settings: Settings
    dashboards: tuple[Dashboard, ...]
    drawn: Mapping[str, str] = field(default_factory=dict)
    read_at: dict[str, datetime] = field(default_factory=dict)
    """When what is drawn was read."""
    asked: dict[str, datetime] = field(default_factory=dict)
    """When somebody last looked at a dashboard: only those that are looked at are read."""
    said: tuple[str, str] = ("quiet", "Reading the tables...")
    over: threading.Event = field(default_factory=threading.Event)

    def draw(self) -> None:
        """Read and draw the overview, and what else is looked at."""
        where = layout(self.settings)
        since = datetime.now(UTC) - LOOKED_AT
        for one in self.dashboards:
            if one.name == FIRST or self.asked.get(one.name, since) > since:
                filled = fill(self.spark, where, one)
                if one.name == FIRST:
                    self.said = headline(filled)
                self.drawn = {**self.drawn, one.name: main(filled, self.said)}
                self.read_at[one.name] = filled.at

    def keep_drawing(self, seconds: float) -> None:
        """Draw again and again until it is over; what cannot be read leaves the last picture."""
        while not self.over.is_set():
            began = datetime.now(UTC)
            try:
                self.draw()
            except Exception as error:  # noqa: BLE001  the page says how old it is
                logger().warning("dashboard.not_read", error=type(error).__name__)
            took = (datetime.now(UTC) - began).total_seconds()
            self.over.wait(max(seconds, 2 * took))  # never more than half of the time: others work


def once(spark: SparkSession, settings: Settings, dashboards: tuple[Dashboard, ...]) -> str:
    """One page with all dashboards, which can be mailed."""
    where = layout(settings)
    filled = [fill(spark, where, one) for one in dashboards]
    said = headline(_overview(filled))
    content = "".join(main(one, said) for one in filled[:1])
    content += "".join(main(one, said).partition("</p>")[2] for one in filled[1:])
    return page(settings.target, dashboards, content, here=filled[0].dashboard.name, live=None)


def _overview(filled: list[Filled]) -> Filled | None:
    return next((one for one in filled if one.dashboard.name == FIRST), None)


def application(board: Board, seconds: float, token: str | None = None) -> web.Application:
    """Each dashboard under its name; the first one is at the root. A *token* is asked for."""
    first = board.dashboards[0].name

    async def show(request: web.Request) -> web.Response:
        name = request.match_info.get("name") or first
        if name not in {one.name for one in board.dashboards}:
            raise web.HTTPNotFound(text=f"there is no dashboard {name}")
        waiting = '<p class="said quiet" role="status">Reading the tables...</p>'
        board.asked[name] = datetime.now(UTC)
        now = datetime.now(UTC)
        content = aged(board.drawn.get(name, waiting), now - board.read_at.get(name, now))
        if request.headers.get("X-Part") == "main":
            return web.Response(text=content, content_type="text/html")
        html = page(board.settings.target, board.dashboards, content, here=name, live=seconds)
        return web.Response(text=html, content_type="text/html", headers=_SAFE)

    app = web.Application(middlewares=[] if token is None else [guard(token)])
    app.add_routes([web.get("/", show), web.get("/{name}", show)])
    return app


_SAFE = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "connect-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
}


async def serve(
    board: Board, host: str, port: int, seconds: float, token: str | None = None
) -> None:
    """Serve until cancelled; beyond this machine only with a token.

    Raises:
        ValueError: others can reach *host*, and there is no token.
    """
    if token is None and not loopback(host):
        raise ValueError(f"{host} can be reached by others: a dashboard there has a token")
    runner = web.AppRunner(application(board, seconds, token), access_log=None)
    await runner.setup()
    thread = threading.Thread(
        target=board.keep_drawing, args=(seconds,), name="dashboard", daemon=True
    )
    thread.start()
    try:
        await web.TCPSite(runner, host, port).start()
        await asyncio.Event().wait()
    finally:
        board.over.set()
        await runner.cleanup()
