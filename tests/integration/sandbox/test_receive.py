"""The API's seven endpoints over loopback."""

import gzip
import json

import aiohttp
import pytest

from pipeline.sandbox.config import Limits

TRACK = {"type": "track", "userId": "u", "event": "e", "messageId": "m1"}


@pytest.mark.parametrize(
    ("endpoint", "call"),
    [
        ("identify", {"userId": "u", "traits": {"a": 1}}),
        ("track", {"userId": "u", "event": "e"}),
        ("page", {"userId": "u", "name": "home"}),
        ("screen", {"userId": "u", "name": "home"}),
        ("group", {"userId": "u", "groupId": "g"}),
        ("alias", {"userId": "u", "previousId": "p"}),
    ],
)
async def test_each_endpoint_takes_its_call(sandbox, endpoint, call):
    """A valid call is answered 200 with an empty object, and can be asked for as it was sent."""
    sent = {**call, "messageId": "m"}
    assert await sandbox.send(endpoint, sent) == (200, {})
    (arrival,) = await sandbox.ask("messages/m")
    assert arrival["call"] == sent
    assert (arrival["type"], arrival["dropped"]) == (endpoint, None)


async def test_keys(sandbox):
    """401 for a wrong key in strict mode, for basic and bearer; a silent 200 without."""
    status, body = await sandbox.batch(TRACK, key="other")
    assert (status, list(body)) == (401, ["meta"])
    assert await sandbox.batch(TRACK, key="other", strict=False) == (200, {})
    assert (await sandbox.ask("dropped"))[0]["dropped"] == "wrong_key"
    strict = {"X-Strict-Mode": "1"}
    for authorization, expected in (("Bearer key", 200), ("Bearer no", 401), ("Basic ?", 401)):
        headers = {**strict, "Authorization": authorization}
        async with sandbox.session.post("/v1/track", headers=headers, json=TRACK) as response:
            assert response.status == expected
    async with sandbox.session.post("/v1/track", headers=strict, json=TRACK) as response:
        assert response.status == 401


async def test_refusal_says_what_is_wrong(sandbox):
    """A strict 400 has the documented shape, and siblings of the bad call are not applied."""
    answer = await sandbox.batch(TRACK, {"type": "track", "userId": "u"})
    assert answer == (400, {"meta": {"errors": ["batch[1]: event is required"]}})
    assert (await sandbox.ask("counts"))["arrivals"] == 0
    (logged,) = await sandbox.ask("requests")
    assert (logged["answer"], logged["errors"]) == ("400", ["batch[1]: event is required"])


async def test_probe(sandbox):
    """The empty batch tells a right key from a wrong one and leaves no arrival."""
    assert (await sandbox.batch())[0] == 400
    assert (await sandbox.batch(key="other"))[0] == 401
    counts = await sandbox.ask("counts")
    assert (counts["arrivals"], counts["requests"]) == (0, {"400": 1, "401": 1})


async def test_the_size_limits_to_the_byte(sandbox):
    """500,000 bytes are taken and one more vanishes behind a 200; so for a call of 32,000."""
    empty = {**TRACK, "properties": {"x": ""}}
    room = 32_000 - len(json.dumps(empty))
    for length, dropped in ((room, None), (room + 1, "call_too_large")):
        call = json.dumps({**empty, "properties": {"x": "a" * length}}).encode()
        assert await sandbox.send("track", call) == (200, {})
        assert (await sandbox.ask("messages/m1"))[-1]["dropped"] == dropped
    text = json.dumps({"batch": [{**TRACK, "messageId": "b"}]}).encode()
    for length, dropped in ((500_000, None), (500_001, "batch_too_large")):
        assert await sandbox.send("batch", text.ljust(length)) == (200, {})
        assert (await sandbox.ask("messages/b"))[-1]["dropped"] == dropped


async def test_bodies_far_over_the_limit_are_still_a_200(sandbox):
    """A body of megabytes is answered as any oversized one."""
    calls = [{**TRACK, "properties": {"x": "a" * 30_000}}] * 100
    assert await sandbox.batch(*calls) == (200, {})
    assert (await sandbox.ask("counts"))["dropped"] == {"batch_too_large": 100}


async def test_gzip(sandbox):
    """A compressed body is read, and kept as it was before it was compressed."""
    body = gzip.compress(json.dumps({"batch": [TRACK]}).encode())
    assert await sandbox.send("batch", body, **{"Content-Encoding": "gzip"}) == (200, {})
    assert (await sandbox.ask("messages/m1"))[0]["call"] == TRACK


async def test_the_rate(start):
    """Over the rate it is 429, and other things than the API's endpoints don't count."""
    sandbox = await start(limits=Limits(rate_requests=3, rate_seconds=60))
    statuses = [(await sandbox.batch(TRACK))[0] for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert (await sandbox.ask("counts"))["requests"] == {"200": 3, "429": 2}


async def test_no_such_endpoint(sandbox):
    """An unknown path is 404 and a GET of a known one 405: neither is delivered silently."""
    async with sandbox.session.post("/v1/delete", json={}) as response:
        assert response.status == 404
    async with sandbox.session.get("/v1/track") as response:
        assert response.status == 405


async def test_the_page(sandbox):
    """A browser sees what can be asked."""
    async with sandbox.session.get("/") as response:
        assert response.content_type == "text/html"
        assert "/_sandbox/counts" in await response.text()


async def test_bad_gzip_keeps_the_server_alive(sandbox):
    """A body that only claims to be gzip is refused, and the next request is served."""
    headers = {
        "Content-Encoding": "gzip",
        "X-Strict-Mode": "1",
        "Authorization": aiohttp.encode_basic_auth("key", ""),
    }
    async with sandbox.session.post("/v1/batch", data=b"plain", headers=headers) as response:
        assert response.status == 400
    assert (await sandbox.batch(TRACK))[0] == 200
