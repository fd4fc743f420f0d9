"""Ask a running sandbox, from a test or a demo. Synchronous, standard library only."""

import http.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from pipeline.sandbox.failure import Failure


class SandboxClient:
    """Questions and failures of one sandbox. Each call is a connection of its own."""

    def __init__(self, base_url: str, *, timeout: float = 60.0) -> None:
        self.base_url = base_url.rstrip("/")
        self._timeout = timeout

    def health(self) -> dict[str, Any]:
        """Whether it is up."""
        return self._object("GET", "health")

    def counts(self) -> dict[str, Any]:
        """Sums over everything that arrived."""
        return self._object("GET", "counts")

    def people(self, *, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        """People who exist, by id."""
        return self._list("people", limit=limit, offset=offset)

    def person(self, user_id: str) -> dict[str, Any] | None:
        """One person, also one who was deleted; nothing if no call named that id."""
        try:
            return self._object("GET", f"people/{quote(user_id, safe='')}")
        except LookupError:
            return None

    def events(self, user_id: str, *, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        """One person's events, in order of arrival."""
        return self._list(f"people/{quote(user_id, safe='')}/events", limit=limit, offset=offset)

    def message(self, message_id: str) -> list[dict[str, Any]]:
        """Every arrival of one message id."""
        return self._list(f"messages/{quote(message_id, safe='')}")

    def message_ids(self) -> Iterator[dict[str, Any]]:
        """Every message id: `message_id`, `count`, `applied`, `first_seq`. In order of the id."""
        connection, response = self._ask("GET", "message_ids")
        try:
            for line in response:
                yield msgspec.json.decode(line)
        finally:
            connection.close()

    def objects(self, *, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        """Objects that groups made."""
        return self._list("objects", limit=limit, offset=offset)

    def relationships(self, *, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        """Who is related to which object."""
        return self._list("relationships", limit=limit, offset=offset)

    def dropped(self, *, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        """Calls that were answered 200 and vanished."""
        return self._list("dropped", limit=limit, offset=offset)

    def requests(self, *, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        """The newest requests first."""
        return self._list("requests", limit=limit, offset=offset)

    def failures(self) -> list[dict[str, Any]]:
        """Scheduled failures and their progress."""
        return self._list("failures")

    def fail(self, failure: Failure) -> dict[str, Any]:
        """Schedule a failure from now on."""
        return self._object("POST", "failures", msgspec.json.encode(failure))

    def clear(self) -> None:
        """Call off all failures."""
        self._read("DELETE", "failures")

    def reset(self) -> None:
        """Forget everything that arrived, and all failures."""
        self._read("POST", "reset")

    def _object(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        return msgspec.json.decode(self._read(method, path, body), type=dict[str, Any])

    def _list(self, path: str, **query: int) -> list[dict[str, Any]]:
        asked = f"{path}?{urlencode(query)}" if query else path
        return msgspec.json.decode(self._read("GET", asked), type=list[dict[str, Any]])

    def _read(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection, response = self._ask(method, path, body)
        try:
            return response.read()
        finally:
            connection.close()

    def _ask(
        self, method: str, path: str, body: bytes | None = None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        parts = urlsplit(self.base_url)
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=self._timeout
        )
        connection.request(method, f"/_sandbox/{path}", body)
        response = connection.getresponse()
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            said = response.read().decode(errors="replace")
            connection.close()
            error = LookupError if response.status == http.HTTPStatus.NOT_FOUND else ValueError
            raise error(f"{method} /_sandbox/{path}: {response.status} {said}")
        return connection, response
