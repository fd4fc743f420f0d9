"""The seven endpoints: `POST /v1/<endpoint>`."""

import asyncio
import base64
import binascii
import contextlib
import hmac
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from pipeline.sandbox.config import BODY_BYTES_MAX, SandboxConfig
from pipeline.sandbox.failure import HOLD_MS, Failure
from pipeline.sandbox.judge import OK, Terms, Verdict, judge
from pipeline.sandbox.rate import RateWindow
from pipeline.sandbox.read import ENDPOINTS, Reading, read
from pipeline.sandbox.schedule import Moment, Planned, strike
from pipeline.sandbox.store import Received, Store

TOO_MANY: Final = 429
_ABORT: Final = struct.pack("ii", 1, 0)


@dataclass(slots=True, kw_only=True)
class Sandbox:
    """A running sandbox: what it was started with, and what it has become since."""

    config: SandboxConfig
    store: Store
    window: RateWindow
    plans: tuple[Planned, ...] = ()
    next_plan: int = 1
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def schedule(self, failure: Failure) -> Planned:
        """Add a failure that begins to count its time now."""
        planned = Planned(number=self.next_plan, failure=failure, since=time.monotonic())
        self.next_plan += 1
        self.plans = (*self.plans, planned)
        return planned


SANDBOX: Final = web.AppKey("sandbox", Sandbox)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What is answered: a status, or nothing."""

    answer: str
    """The status as text, or why there is none: `reset`, `timeout`."""
    verdict: Verdict | None = None
    errors: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


async def receive(request: web.Request) -> web.Response:
    """Take a request of the API, keep what it says, and answer as the API would."""
    endpoint = request.match_info["endpoint"]
    if endpoint not in ENDPOINTS:
        raise web.HTTPNotFound(text=f"no endpoint {endpoint}; there are {', '.join(ENDPOINTS)}")
    sandbox = request.app[SANDBOX]
    received_at, started = time.time(), time.monotonic()
    encoding = request.headers.get("Content-Encoding", "").lower()
    reading = read(endpoint, await request.read(), encoding=encoding, most=BODY_BYTES_MAX)
    moment = Moment(now=started, endpoint=endpoint, calls=reading.calls if sandbox.plans else ())
    sandbox.plans, planned = strike(sandbox.plans, moment)
    failure = planned.failure if planned else None
    if failure and failure.kind == "latency":
        await _pause(sandbox, failure.latency_ms or 0)
    strict = request.headers.get("X-Strict-Mode") == "1"
    answer = _answer(sandbox, reading, failure, strict=strict, key=write_key(request))
    sandbox.store.keep(
        Received(
            received_at,
            endpoint,
            answer.answer,
            strict,
            len(reading.body),
            len(reading.items),
            (time.monotonic() - started) * 1000,
            answer.errors,
            planned.number if planned else None,
            reading.body if sandbox.config.store_bodies else None,
        ),
        answer.verdict,
    )
    if answer.answer == "timeout" and failure:
        await _pause(sandbox, HOLD_MS if failure.latency_ms is None else failure.latency_ms)
    if not answer.answer.isdecimal():
        abort(request)
        return web.Response()
    body = {"meta": {"errors": answer.errors}} if answer.errors else {}
    return web.json_response(body, status=int(answer.answer), headers=answer.headers)


def _answer(
    sandbox: Sandbox, reading: Reading, failure: Failure | None, *, strict: bool, key: str | None
) -> _Answer:
    lost = failure if failure and failure.kind in ("status", "reset", "timeout") else None
    if lost and lost.when == "before":
        return _lost(lost, None)
    if not sandbox.window.admit(time.monotonic()):
        return _Answer(answer=str(TOO_MANY), errors=("rate limit exceeded",))
    revoked = failure is not None and failure.kind == "key_revoked"
    known = key is not None and any(
        hmac.compare_digest(key.encode(), other.encode()) for other in sandbox.config.write_keys
    )
    terms = Terms(
        limits=sandbox.config.limits,
        strict=strict,
        key_ok=known and not revoked,
        suppressed=sandbox.store.suppressed,
    )
    verdict = judge(reading, terms)
    if lost:
        return _lost(lost, verdict)
    return _Answer(answer=str(verdict.status), verdict=verdict, errors=verdict.errors)


def _lost(failure: Failure, verdict: Verdict | None) -> _Answer:
    """The answer of a failure, in place of the API's own."""
    if failure.kind != "status":
        return _Answer(answer=failure.kind, verdict=verdict)
    headers = {} if failure.retry_after is None else {"Retry-After": str(failure.retry_after)}
    errors = () if failure.status == OK else ("a failure scheduled in the sandbox",)
    return _Answer(answer=str(failure.status), verdict=verdict, errors=errors, headers=headers)


def write_key(request: web.Request) -> str | None:
    """The key of a request: the user name of Basic, or the token of Bearer.

    Bearer is how the official clients send keys that name their region (`sk_eu_...`).
    """
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    match scheme.lower():
        case "basic":
            with contextlib.suppress(binascii.Error, UnicodeDecodeError):
                return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[0]
            return None
        case "bearer":
            return rest.strip()
        case _:
            return None


async def _pause(sandbox: Sandbox, milliseconds: float) -> None:
    """Wait, but not longer than the server runs."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(sandbox.closing.wait(), milliseconds / 1000)


def abort(request: web.Request) -> None:
    """Close the connection with a reset: unsent and unread bytes are thrown away."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    transport.abort()
