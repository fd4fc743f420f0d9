"""A destination, or somebody on the way to it, that means harm."""

import asyncio
import contextlib
import gzip
import ssl
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from pipeline.core.outcome import Rejected
from pipeline.core.wire import Answer, NoAnswer, Request, classify, headers
from pipeline.delivery.plan import Target
from pipeline.delivery.transport import ANSWER_BYTES, HttpTransport, tls

REQUEST = Request(endpoint="track", body=b"{}")
MEGABYTE = 1 << 20


def target(url: str) -> Target:
    return Target(
        url=url,
        write_key=SecretStr("k"),
        strict=True,
        connect_timeout=timedelta(seconds=2),
        total_timeout=timedelta(seconds=5),
    )


@contextlib.asynccontextmanager
async def answering(
    head: bytes, body: bytes, times: int = 1, context: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A server that answers with *head* and *times* times *body*; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 " + head + b"\r\n\r\n")
            for _ in range(times):
                writer.write(body)
                await writer.drain()
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def post(url: str) -> Answer | NoAnswer:
    async with HttpTransport(target(url), connections=1) as transport:
        return await transport.post(REQUEST)


async def test_an_answer_of_gigabytes_is_not_read():
    """The task's memory would be the destination's to fill."""
    size = 4096 * MEGABYTE
    head = f"400 Bad\r\nContent-Length: {size}".encode()
    async with answering(head, b"x" * MEGABYTE, 4096) as port:
        answer = await asyncio.wait_for(post(f"http://127.0.0.1:{port}"), 5)
    assert isinstance(answer, Answer)
    assert (answer.status, len(answer.text) <= ANSWER_BYTES) == (400, True)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_bomb_is_not_unpacked(encoding):
    """A few bytes on the wire would become gigabytes in memory."""
    bomb = gzip.compress(gzip.compress(bytes(256 * MEGABYTE)))
    head = f"400 Bad\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(bomb)}".encode()
    async with answering(head, bomb) as port:
        tracemalloc.start()
        answer = await post(f"http://127.0.0.1:{port}")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert isinstance(answer, Answer)
    assert peak < 8 * MEGABYTE
    assert isinstance(classify(answer, datetime.now(UTC)), Rejected)


@pytest.mark.parametrize(
    "head",
    [b"200 OK\r\nX: " + b"y" * MEGABYTE, b"999999999 What", b"\x00\xff", b"200 OK\r\nNo colon"],
)
async def test_a_head_that_is_none_is_no_answer(head):
    """A malformed head would raise in the middle of a slice."""
    async with answering(head, b"") as port:
        assert isinstance(await post(f"http://127.0.0.1:{port}"), NoAnswer)


@pytest.fixture(scope="module")
def own_certificate(tmp_path_factory) -> ssl.SSLContext:
    """A server's side with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "own.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_a_certificate_that_nobody_vouches_for_is_refused(own_certificate):
    """Whoever sits on the way would get the key with the first request."""
    async with answering(b"200 OK", b"", context=own_certificate) as port:
        assert await post(f"https://localhost:{port}") == NoAnswer(reason="connect")


def test_tls_is_of_this_decade():
    """An old version could be broken on the way."""
    assert tls().minimum_version >= ssl.TLSVersion.TLSv1_2
    assert tls().verify_mode == ssl.CERT_REQUIRED
    assert tls().check_hostname


def test_a_transport_over_plain_http_is_refused():
    """A gateway's address with a slip in it would get the key in the clear."""
    with pytest.raises(ValueError, match="plain http"):
        HttpTransport(target("http://cdp.customer.io"), connections=1)


def test_a_key_cannot_bring_headers_along():
    """A line break in a key would begin a header of its own."""
    for value in headers("k\r\nX-Evil: 1", strict=True).values():
        assert "\r" not in value
        assert "\n" not in value
