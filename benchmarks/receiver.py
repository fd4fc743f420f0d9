"""A receiver that is not the bottleneck: reads a POST's body, counts its calls, answers 200.

Run: python benchmarks/receiver.py PORT. `GET /count` answers how many calls it got. It counts the
key `"messageId"`, of which each call has one.
"""

import asyncio
import sys

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Receiver(asyncio.Protocol):
    """One connection."""

    received = 0

    def __init__(self) -> None:
        """Nothing read yet."""
        self._buffer = bytearray()
        self._needed = 0

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
            self._answer(head)
            del self._buffer[: self._needed]
            self._needed = 0

    def _answer(self, head: bytes) -> None:
        if head.startswith(b"get /count"):
            text = str(Receiver.received).encode()
            length = str(len(text)).encode()
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n" + text
            )
            return
        Receiver.received += self._buffer.count(b'"messageId"', 0, self._needed)
        self._transport.write(OK)


async def main(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", port)
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
