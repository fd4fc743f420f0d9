"""Scheduled failures, as a client feels them."""

import asyncio
import time

import aiohttp
import pytest

from pipeline.sandbox.failure import Failure

TRACK = {"type": "track", "userId": "u", "event": "e", "messageId": "m"}


async def applied(sandbox):
    return (await sandbox.ask("counts"))["applied"]


async def test_status_with_retry_after(sandbox):
    """The status and the Retry-After header are sent, for so many requests."""
    assert await sandbox.fail(kind="status", status=503, retry_after=2, requests=1) == 201
    headers = {"Authorization": aiohttp.encode_basic_auth("key", "")}
    async with sandbox.session.post("/v1/track", json=TRACK, headers=headers) as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "2")
    assert await applied(sandbox) == 0
    assert await sandbox.batch(TRACK) == (200, {})


async def test_a_status_after_the_calls_were_applied(sandbox):
    """The server says 500 and has done its work all the same."""
    await sandbox.fail(kind="status", status=500, when="after", requests=1)
    assert (await sandbox.batch(TRACK))[0] == 500
    assert await applied(sandbox) == 1


@pytest.mark.parametrize(("when", "expected"), [("before", 0), ("after", 1)])
async def test_reset(sandbox, when, expected):
    """The connection is reset, before the calls are applied or after."""
    await sandbox.fail(kind="reset", when=when, requests=1)
    with pytest.raises(aiohttp.ClientOSError) as raised:
        await sandbox.batch(TRACK)
    assert isinstance(raised.value.__cause__ or raised.value, ConnectionResetError)
    assert await applied(sandbox) == expected
    assert (await sandbox.ask("counts"))["requests"] == {"reset": 1}
    assert await sandbox.batch(TRACK) == (200, {})


async def test_timeout_holds_the_connection(sandbox):
    """No answer comes within the client's patience."""
    await sandbox.fail(kind="timeout", requests=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await sandbox.batch(TRACK)
    assert (await sandbox.ask("counts"))["requests"] == {"timeout": 1}
    assert await sandbox.batch(TRACK) == (200, {})


async def test_timeout_ends_without_an_answer(sandbox):
    """A client that waits long enough sees the connection break, not an answer."""
    await sandbox.fail(kind="timeout", latency_ms=50, when="after", requests=1)
    with pytest.raises(aiohttp.ClientError):
        await sandbox.batch(TRACK)
    assert await applied(sandbox) == 1


async def test_latency(sandbox):
    """The answer is right, and late."""
    await sandbox.fail(kind="latency", latency_ms=200)
    started = time.monotonic()
    assert await sandbox.batch(TRACK) == (200, {})
    assert time.monotonic() - started >= 0.2


async def test_key_revoked(sandbox):
    """The right key is wrong for a while: 401 in strict mode, a silent loss without."""
    await sandbox.fail(kind="key_revoked", requests=2)
    assert (await sandbox.batch(TRACK))[0] == 401
    assert await sandbox.batch(TRACK, strict=False) == (200, {})
    assert await sandbox.batch(TRACK) == (200, {})
    counts = await sandbox.ask("counts")
    assert (counts["applied"], counts["dropped"]) == (1, {"wrong_key": 1})


async def test_only_matching_requests(sandbox):
    """A failure for one event leaves requests without it alone."""
    await sandbox.fail(kind="status", status=503, match={"event": "other"}, endpoints=["batch"])
    assert (await sandbox.batch(TRACK))[0] == 200
    assert (await sandbox.batch(TRACK, {**TRACK, "event": "other"}))[0] == 503
    assert (await sandbox.send("track", {**TRACK, "event": "other"}))[0] == 200


async def test_listed_and_called_off(sandbox):
    """Progress can be looked at; called off, all is well again; nonsense is refused."""
    await sandbox.fail(kind="status", status=429, share=0.5)
    statuses = [(await sandbox.batch(TRACK))[0] for _ in range(4)]
    assert statuses == [200, 429, 200, 429]
    (listed,) = await sandbox.ask("failures")
    assert (listed["state"], listed["seen"], listed["struck"]) == ("active", 4, 2)
    assert listed["failure"] == {"kind": "status", "status": 429, "share": 0.5}
    async with sandbox.session.delete("/_sandbox/failures") as response:
        assert await response.json() == []
    assert (await sandbox.batch(TRACK))[0] == 200
    assert await sandbox.fail(kind="fire") == 400


async def test_from_the_start(start):
    """Failures can be part of the configuration."""
    sandbox = await start(failures=(Failure(kind="status", status=503, requests=1),))
    assert [(await sandbox.batch(TRACK))[0] for _ in range(2)] == [503, 200]
