"""Post one request with aiohttp: an answer, or what the network said instead."""

import errno
import functools
import gzip
import ssl
from typing import Protocol, Self

import aiohttp

from pipeline.core.address import refusal
from pipeline.core.wire import Answer, NoAnswer, Request, headers
from pipeline.delivery.plan import Target

ANSWER_BYTES = 4096
"""Of an answer's body that are read; the rest is not wanted, whatever its length."""


@functools.cache
def tls() -> ssl.SSLContext:
    """Certificates and names are checked, TLS 1.2 at least; reading the authorities takes long."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Transport(Protocol):
    """Whatever can post a request."""

    async def post(self, request: Request) -> Answer | NoAnswer:
        """Send it once. Never raises for what a network can do."""
        ...


class HttpTransport:
    """The real one: keep-alive connections, redirects off, certificates checked.

    An answer is asked for as it is and never unpacked: a few bytes could become gigabytes.

    Raises:
        ValueError: the key and the data could be read on the way there.
    """

    def __init__(self, target: Target, connections: int) -> None:
        if (why := refusal(target.url)) is not None:
            raise ValueError(f"the destination's address {why}")
        self._target = target
        self._headers = headers(target.write_key.get_secret_value(), strict=target.strict)
        self._headers["Accept-Encoding"] = "identity"
        if target.gzip:
            self._headers["Content-Encoding"] = "gzip"
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, ssl=tls()),
            auto_decompress=False,
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(
                total=self._target.total_timeout.total_seconds(),
                sock_connect=self._target.connect_timeout.total_seconds(),
            ),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the session and its connections."""
        if self._session is not None:
            await self._session.close()

    async def post(self, request: Request) -> Answer | NoAnswer:
        """Send *request* once."""
        if self._session is None:
            raise RuntimeError("the transport is used outside its context")
        body = gzip.compress(request.body, 1) if self._target.gzip else request.body
        url = f"{self._target.url}/v1/{request.endpoint}"
        try:
            async with self._session.post(url, data=body, allow_redirects=False) as response:
                text = await response.content.read(ANSWER_BYTES)
                return Answer(
                    status=response.status,
                    retry_after=response.headers.get("Retry-After"),
                    text=text.decode("utf-8", "replace"),
                    date=response.headers.get("Date"),
                )
        except TimeoutError:
            return NoAnswer(reason="timeout")
        except aiohttp.ClientConnectorError:
            return NoAnswer(reason="connect")
        except aiohttp.ServerDisconnectedError:
            return NoAnswer(reason="reset")
        except (aiohttp.ClientError, OSError) as error:
            gone = getattr(error, "errno", None) in {errno.ECONNRESET, errno.EPIPE}
            return NoAnswer(reason="reset" if gone else "network")
