"""A headless Chromium with keys to press, over its own DevTools protocol: no driver is needed."""

import asyncio
import json
import shutil
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
KEYS = {
    "Tab": {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9},
    "Enter": {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
    "Right": {"key": "ArrowRight", "code": "ArrowRight", "windowsVirtualKeyCode": 39},
}
PATIENCE = 60


class Browser:
    """One page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask the page for something, and wait for the answer."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        while True:
            answer = json.loads((await self._socket.receive(PATIENCE)).data)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    async def tells(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def press(self, key: str, *, shift: bool = False) -> None:
        """One key, down and up."""
        for type_ in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent", type=type_, modifiers=8 if shift else 0, **KEYS[key]
            )


@asynccontextmanager
async def browsing(address: str, folder: Path, size: str = "1600,1000") -> AsyncIterator[Browser]:
    """A browser at *address*; gone at the end."""
    assert CHROMIUM is not None
    profile = folder / "profile"
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={size}",
        "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank",
        stdout=DEVNULL, stderr=DEVNULL,
    )  # fmt: skip
    try:
        port = await asyncio.to_thread(_port, profile / "DevToolsActivePort")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [one for one in await answer.json() if one["type"] == "page"]
            async with session.ws_connect(
                pages[0]["webSocketDebuggerUrl"], max_msg_size=0
            ) as socket:
                browser = Browser(socket)
                await browser.call("Page.bringToFront")
                await browser.call("Emulation.setFocusEmulationEnabled", enabled=True)
                # Only from here on is what is complete this page, and not the empty one before it.
                await browser.call("Page.navigate", url=address)
                for _ in range(PATIENCE * 10):
                    if await browser.tells("document.readyState") == "complete":
                        break
                    await asyncio.sleep(0.1)
                yield browser
    finally:
        process.terminate()
        await process.wait()


def _port(file: Path) -> int:
    for _ in range(PATIENCE * 10):
        if file.exists() and "\n" in (text := file.read_text()):
            return int(text.splitlines()[0])
        time.sleep(0.1)
    raise TimeoutError(f"{file}: the browser did not start")
