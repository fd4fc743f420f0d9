"""Nobody else sees what runs on this machine: the dashboards ask others for a token."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from pipeline.operations.dashboard.guard import guard, loopback, new_token
from pipeline.operations.dashboard.serve import serve
from pipeline.sandbox.__main__ import parse

EVERYWHERE = "0.0.0.0"  # noqa: S104  what the tests are about


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True),
        ("localhost", True), (EVERYWHERE, False), ("::", False), ("192.0.2.1", False),
        ("localhost.example", False), ("", False),
    ],
)  # fmt: skip
def test_loopback_is_what_nobody_else_can_reach(host, alone):
    """A dashboard on all interfaces would be taken for one on this machine."""
    assert loopback(host) == alone


async def test_without_the_token_nothing_is_shown():
    """Everybody in the network would see what is delivered, and what fails."""

    async def secret(_: web.Request) -> web.Response:
        return web.Response(text="figures")

    app = web.Application(middlewares=[guard("right")])
    app.add_routes([web.get("/", secret)])
    async with TestClient(TestServer(app)) as client:
        for path in ("/", "/?token=wrong", "/?token=", "/nothing"):
            answer = await client.get(path)
            assert answer.status == 401, path
            assert "figures" not in await answer.text()
        first = await client.get("/?token=right", allow_redirects=False)
        assert first.headers["Location"] == "/"
        assert "HttpOnly" in first.headers["Set-Cookie"]
        assert "SameSite=Strict" in first.headers["Set-Cookie"]
        assert await (await client.get("/")).text() == "figures"


async def test_it_refuses_to_be_open_to_all():
    """A caller that forgot the token would serve to everybody."""
    with pytest.raises(ValueError, match="has a token"):
        await serve(None, EVERYWHERE, 0, 1)


def test_tokens_are_not_guessed():
    """A short or repeated token could be tried out."""
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) >= 32


def test_the_sandbox_listens_on_this_machine_unless_told():
    """Everybody in the network could read the people that a test sent."""
    assert loopback(parse(["--write-key", "k"]).host)
    assert parse(["--write-key", "k", "--host", EVERYWHERE]).host == EVERYWHERE
