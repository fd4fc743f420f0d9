"""A receiver that is not the bottleneck: reads a POST's body, counts its calls, answers 200.

Run: python benchmarks/receiver.py PORT [LATENCY_MS]. `GET /count` answers with JSON: how many
calls and bytes it got. It counts the key `"messageId"`, of which each call has one.
"""

import asyncio
import gzip
import json
import sys

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Totals:
    """What all connections got."""

    calls = 0
    wire_bytes = 0
    requests = 0


class Receiver(asyncio.Protocol):
    """One connection; answers each request after *latency* seconds."""

    def __init__(self, latency: float) -> None:
        """Nothing read yet."""
        self._buffer = bytearray()
        self._needed = 0
        self._latency = latency

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to answer on."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  a TCP server's always is
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Collect until a request is whole, then answer it."""
        self._buffer += data
        while len(self._buffer) >= self._needed:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            length = 0
            if (at := head.find(b"content-length:")) >= 0:
                length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            self._needed = end + 4 + length
            if len(self._buffer) < self._needed:
                return
            self._answer(head, end + 4)
            del self._buffer[: self._needed]
            self._needed = 0

    def _answer(self, head: bytes, start: int) -> None:
        if head.startswith(b"get /count"):
            text = json.dumps(
                {"calls": Totals.calls, "bytes": Totals.wire_bytes, "requests": Totals.requests}
            ).encode()
            length = str(len(text)).encode()
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n" + text
            )
            return
        Totals.requests += 1
        Totals.wire_bytes += self._needed - start
        if b"content-encoding: gzip" in head:
            body = gzip.decompress(self._buffer[start : self._needed])
            Totals.calls += body.count(b'"messageId"')
        else:
            Totals.calls += self._buffer.count(b'"messageId"', start, self._needed)
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._transport.write, OK)
        else:
            self._transport.write(OK)


async def main(port: int, latency: float) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(
        lambda: Receiver(latency), "127.0.0.1", port
    )
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float((*sys.argv, "0")[2]) / 1000))
