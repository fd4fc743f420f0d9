"""Serve a stand-in workspace on loopback: in a thread for tests, or alone for `make bundle`."""

import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

if __package__:
    from .workspace import Answer, Workspace
else:
    sys.path.insert(0, str(Path(__file__).parent))
    from workspace import Answer, Workspace


@dataclass(frozen=True)
class Running:
    """A workspace that answers at *host*."""

    host: str
    workspace: Workspace


def _handler(workspace: Workspace) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            with lock:
                found = workspace.answer(
                    self.command, parts.path, dict(parse_qsl(parts.query)), data
                )
            self._send(found)

        def _send(self, found: Answer) -> None:
            raw = isinstance(found.body, bytes)
            body = found.body if raw else json.dumps(found.body).encode()
            self.send_response(found.status)
            kind = "application/octet-stream" if raw else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler


@contextlib.contextmanager
def running_workspace(port: int = 0) -> Iterator[Running]:
    """An empty workspace while the block runs."""
    workspace = Workspace()
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(workspace))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Running(f"http://127.0.0.1:{server.server_port}", workspace)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
