"""What is put in to see whether it comes out: values to look for, and where to look."""

import base64
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, quote_plus

import pyarrow.parquet as pq

EMAIL = "canary.finch@birds.example"
PHONE = "+447946095812"
NAME = "Serinus Canaria"
ID = "canary-id-81733"
KEY = "canarykey5f2c9e"
CANARIES = (EMAIL, PHONE, NAME, ID, KEY)
REFUSED = "refuse-me"
"""Stands in calls that the destination refuses."""
FAILING = "fail-me"
"""Stands in calls that it answers with 503 for as long as it is ill."""
CIPHER = "payload"
"""The only columns that come from personal data and stay: ciphertext."""


def forms(text: str) -> Iterator[bytes]:
    """The ways in which a value may be written down."""
    raw = text.encode()
    yield from (raw, raw.hex().encode(), raw.hex().upper().encode())
    yield from {quote(text, safe="").encode(), quote_plus(text).encode()} - {raw}
    for shift in range(3):  # base64 of a longer text that has the canary in it, at any place
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(bytes(shift) + raw)
            yield whole[4 if shift else 0 : len(whole) - 4]
    escaped = json.dumps(text)[1:-1].encode()
    if escaped != raw:
        yield escaped


FORMS = {text: tuple(forms(text)) for text in CANARIES}


def found_in(content: bytes) -> set[str]:
    """Which canaries sing."""
    return {text for text, ways in FORMS.items() if any(way in content for way in ways)}


def left_behind(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All files as they are, and each column of each table's file decoded."""
    for file in sorted(folder.rglob("*")):
        if not file.is_file():
            continue
        yield str(file), file.read_bytes()
        if file.suffix == ".parquet":
            table = pq.ParquetFile(file).read()
            for name in table.column_names:
                values = {text for value in table[name].to_pylist() for text in leaves(value)}
                yield f"{file}: {name}", b"\n".join(values)


def leaves(value: Any) -> Iterator[bytes]:
    """All texts and bytes of a value, at any depth."""
    match value:
        case str():
            yield value.encode(errors="surrogatepass")
        case bytes():
            yield value
        case dict():
            for pair in value.items():
                yield from leaves(list(pair))
        case list() | tuple():
            for one in value:
                yield from leaves(one)
        case None | bool():
            pass
        case _:
            yield str(value).encode()


class Parrot(BaseHTTPRequestHandler):
    """A destination that repeats what it was told, key and all, whenever it refuses or fails."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        server: Any = self.server
        asked = f"{self.headers['Authorization']} {body}"
        if body == '{"batch":[]}':
            self._say(400, "empty")
        elif server.ill and FAILING in body:
            self._say(503, f"{KEY} {asked}")
        elif REFUSED in body:
            said = b" ".join(leaves(json.loads(body))).decode()
            words = f"{NAME} may not say {said}: {asked} {asked * 20}"
            self._say(400, json.dumps({"meta": {"errors": [{"message": words}]}}))
        else:
            server.accepted.append(body)
            self._say(200, "{}")

    def _say(self, status: int, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing: its own log is not ours."""


@contextmanager
def parrot() -> Iterator[Any]:
    """The destination, on a port of its own."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Parrot)
    server.ill, server.accepted = False, []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield SimpleNamespace(base_url=f"http://127.0.0.1:{server.server_port}", server=server)
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def watched_arguments() -> Iterator[set[bytes]]:
    """Arguments of this process and of all that it started, looked at again and again."""
    seen: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            for process in ours():
                try:
                    seen.add(Path(f"/proc/{process}/cmdline").read_bytes())
                except OSError:
                    continue  # it has ended

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def ours() -> Iterator[int]:
    """This process, and what descends from it."""
    parents: dict[int, int] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(file.parent.name)] = int(file.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    for process in parents:
        at: int | None = process
        while at is not None and at != os.getpid():
            at = parents.get(at)
        if at is not None:
            yield process
