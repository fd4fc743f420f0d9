"""The real transport against the sandbox, and against what only a socket can do."""

import asyncio
import json
import socket
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from pipeline.core.outcome import Accepted, Held, Rejected, Retryable
from pipeline.core.wire import Answer, NoAnswer, Request, batch_request, classify, probe_request
from pipeline.delivery.plan import Target
from pipeline.delivery.probe import Probe
from pipeline.delivery.transport import HttpTransport
from pipeline.sandbox.running import running_sandbox

WHO = {"messageId": "m", "userId": "1"}
BODIES = {
    "identify": WHO | {"type": "identify", "traits": {"plan": "a"}},
    "track": WHO | {"type": "track", "event": "Bought"},
    "page": WHO | {"type": "page", "name": "Home"},
    "screen": WHO | {"type": "screen", "name": "Home"},
    "group": WHO | {"type": "group", "groupId": "g"},
    "alias": {"messageId": "m", "type": "alias", "userId": "1", "previousId": "0"},
}


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox() as running:
        yield running


def target(url: str, key: str = "sandbox-write-key", **changed) -> Target:
    defaults = {
        "strict": True,
        "connect_timeout": timedelta(seconds=2),
        "total_timeout": timedelta(seconds=2),
    }
    return Target(url=url, write_key=SecretStr(key), **{**defaults, **changed})


async def post(where: Target, request: Request) -> Answer | NoAnswer:
    async with HttpTransport(where, connections=1) as transport:
        return await transport.post(request)


def outcome(answer: Answer | NoAnswer):
    return classify(answer, datetime.now(UTC))


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("endpoint", [*BODIES, "batch"])
async def test_all_seven_endpoints_accept(sandbox, endpoint, gzip):
    """What each takes is accepted, compressed or not."""
    calls = [json.dumps(body).encode() for kind, body in BODIES.items() if kind != "alias"]
    request = (
        batch_request(b",".join(calls), b"{}")
        if endpoint == "batch"
        else Request(endpoint=endpoint, body=json.dumps(BODIES[endpoint]).encode())
    )
    assert outcome(await post(target(sandbox.base_url, gzip=gzip), request)) == Accepted()


async def test_a_wrong_key_holds_only_in_strict_mode(sandbox):
    """Without the header a wrong key looks like a success: the reason why strict is the default."""
    request = Request(endpoint="track", body=json.dumps(BODIES["track"]).encode())
    strict = outcome(await post(target(sandbox.base_url, key="wrong"), request))
    silent = outcome(await post(target(sandbox.base_url, key="wrong", strict=False), request))
    assert (strict, silent) == (Held(reason="http_401"), Accepted())


async def test_an_invalid_call_is_rejected_with_words(sandbox):
    """The server says what is wrong; the words are kept."""
    answer = outcome(await post(target(sandbox.base_url), Request(endpoint="track", body=b"{}")))
    assert isinstance(answer, Rejected)
    assert answer.detail


def test_the_probe_tells_well_from_ill(sandbox):
    """A right key is well although its probe is refused; a wrong key and a dead port are ill."""
    assert Probe(lambda: target(sandbox.base_url)).well()
    assert not Probe(lambda: target(sandbox.base_url, key="wrong")).well()
    assert not Probe(lambda: target("http://127.0.0.1:9")).well()


def test_a_probe_that_failed_may_be_tried_again(sandbox):
    """Half-open lets one through each time; the circuit closes when it succeeds."""
    where = [target(sandbox.base_url, key="wrong")]
    probe = Probe(lambda: where[0])
    assert not probe.well()
    assert probe.circuit == "open"
    where[0] = target(sandbox.base_url)
    assert probe.well()
    assert probe.circuit == "closed"


@pytest.mark.parametrize(
    ("behaviour", "reason"), [("silent", "timeout"), ("close", "reset"), ("reset", "reset")]
)
async def test_what_a_socket_can_do_is_retryable(behaviour, reason):
    """No answer, a closed and a reset connection: never an exception, never a success."""

    async def misbehave(reader, writer):
        await reader.read(100)
        if behaviour == "silent":
            await asyncio.sleep(3)
        if behaviour == "reset":
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
            )
        writer.transport.abort()

    server = await asyncio.start_server(misbehave, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    where = target(f"http://127.0.0.1:{port}", total_timeout=timedelta(seconds=0.5))
    async with server:
        assert outcome(await post(where, probe_request())) == Retryable(reason=reason)


async def test_a_redirect_is_not_followed_and_delivers_nothing():
    """The key must not travel to where a stranger points."""

    async def redirect(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(redirect, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        answer = await post(target(f"http://127.0.0.1:{port}"), probe_request())
    assert isinstance(outcome(answer), Rejected)
