"""What the sandbox answers about itself, under `/_sandbox/`.

Every question first waits for what was answered before it to be kept.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from pipeline.sandbox.receive import SANDBOX
from pipeline.sandbox.schema import IS_EVENT
from pipeline.sandbox.store import Store

LIMIT: Final = 100
LIMIT_MAX: Final = 10_000
_CHUNK: Final = 20_000

_EVENTS: Final = (
    "SELECT a.*, r.received_at, substr(r.body, a.offset + 1, a.bytes) AS call"
    " FROM arrivals a JOIN requests r USING (request)"
)
_JSON_COLUMNS: Final = frozenset({"attributes", "call", "errors"})
_BOOLEAN_COLUMNS: Final = frozenset({"strict", "suppressed", "deleted"})
_PERSON: Final = "SELECT *, last_seq <= deleted_seq AS deleted FROM people"

routes: Final = web.RouteTableDef()


@routes.get("/_sandbox/health")
async def health(request: web.Request) -> web.Response:
    """Whether it is up, and what it stands for."""
    config = request.app[SANDBOX].config
    return _json({"status": "ok", "region": config.region, "store_bodies": config.store_bodies})


@routes.get("/_sandbox/counts")
async def counts(request: web.Request) -> web.Response:
    """Sums over everything that arrived."""
    store = _settled(request)
    distinct, arrivals, applied, once = store.database.execute(
        "SELECT count(*), coalesce(sum(arrivals), 0), coalesce(sum(applied), 0),"
        " coalesce(sum(applied > 0), 0) FROM messages"
    ).fetchone()
    total = sum(store.tallies.values())
    return _json(
        {
            "requests": dict(sorted(store.answers.items())),
            "arrivals": total,
            "applied": sum(n for t, n in store.tallies.items() if t.dropped is None),
            "without_message_id": total - arrivals,
            "distinct_message_ids": distinct,
            "repeats": arrivals - distinct,
            "applied_message_ids": once,
            "applied_repeats": applied - once,
            "by_type": _by(store, lambda t: t.type),
            "by_event": _by(store, lambda t: t.event),
            "dropped": _by(store, lambda t: t.dropped),
            "people": _number(store, "people WHERE last_seq > deleted_seq"),
            "suppressed": len(store.suppressed),
            "objects": _number(store, "objects"),
            "relationships": _number(store, "relationships"),
            "devices": _number(store, "devices"),
        }
    )


@routes.get("/_sandbox/people")
async def people(request: web.Request) -> web.Response:
    """People who exist, by id. `limit`, `offset`."""
    return _page(request, f"{_PERSON} WHERE last_seq > deleted_seq ORDER BY user_id")


@routes.get("/_sandbox/people/{id}")
async def person(request: web.Request) -> web.Response:
    """One person, with devices and relationships; also one who was deleted."""
    store, user_id = _settled(request), request.match_info["id"]
    found = list(_rows(store, f"{_PERSON} WHERE user_id = ?", (user_id,)))
    if not found:
        raise web.HTTPNotFound(text=f"nothing has arrived for a person {user_id!r}")
    of_person = "WHERE user_id = ?"
    devices = f"SELECT token, attributes FROM devices {of_person}"
    related = f"SELECT type_id, object_id, attributes FROM relationships {of_person}"
    return _json(
        {
            **found[0],
            "devices": list(_rows(store, devices, (user_id,))),
            "relationships": list(_rows(store, related, (user_id,))),
        }
    )


@routes.get("/_sandbox/people/{id}/events")
async def events(request: web.Request) -> web.Response:
    """Tracks, pages and screens applied to one person, in order. `limit`, `offset`."""
    request.app[SANDBOX].store.index()
    return _page(
        request,
        f"{_EVENTS} WHERE a.user_id = ? AND {IS_EVENT} AND a.dropped IS NULL ORDER BY a.seq",
        (request.match_info["id"],),
    )


@routes.get("/_sandbox/messages/{id}")
async def message(request: web.Request) -> web.Response:
    """Every arrival of one message id."""
    request.app[SANDBOX].store.index()
    return _page(
        request,
        f"{_EVENTS} WHERE a.message_id = ? ORDER BY a.seq",
        (request.match_info["id"],),
    )


@routes.get("/_sandbox/message_ids")
async def message_ids(request: web.Request) -> web.StreamResponse:
    """Every message id as NDJSON: `message_id`, `count`, `applied`, `first_seq`."""
    store = _settled(request)
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    last, encoder = "", msgspec.json.Encoder()
    while rows := list(
        _rows(
            store,
            "SELECT message_id, arrivals AS count, applied, first_seq FROM messages"
            " WHERE message_id > ? ORDER BY message_id LIMIT ?",
            (last, _CHUNK),
        )
    ):
        last = rows[-1]["message_id"]
        await response.write(encoder.encode_lines(rows))
    await response.write_eof()
    return response


@routes.get("/_sandbox/objects")
async def objects(request: web.Request) -> web.Response:
    """Objects that groups made. `limit`, `offset`."""
    return _page(request, "SELECT * FROM objects ORDER BY type_id, object_id")


@routes.get("/_sandbox/relationships")
async def relationships(request: web.Request) -> web.Response:
    """Who is related to which object. `limit`, `offset`."""
    return _page(request, "SELECT * FROM relationships ORDER BY type_id, object_id, user_id")


@routes.get("/_sandbox/dropped")
async def dropped(request: web.Request) -> web.Response:
    """Calls that were answered 200 and vanished, with the reason. `limit`, `offset`."""
    request.app[SANDBOX].store.index()
    return _page(request, f"{_EVENTS} WHERE a.dropped IS NOT NULL ORDER BY a.seq")


@routes.get("/_sandbox/requests")
async def requests(request: web.Request) -> web.Response:
    """The newest requests first, without their bodies. `limit`, `offset`."""
    return _page(
        request,
        "SELECT request, received_at, endpoint, answer, strict, bytes, calls, duration_ms,"
        " errors, failure FROM requests ORDER BY request DESC",
    )


@routes.post("/_sandbox/reset")
async def reset(request: web.Request) -> web.Response:
    """Forget everything that arrived, and every scheduled failure."""
    sandbox = request.app[SANDBOX]
    sandbox.store.reset()
    sandbox.plans = ()
    return _json({"status": "ok"})


def _settled(request: web.Request) -> Store:
    store = request.app[SANDBOX].store
    store.settle()
    return store


def _by(store: Store, key: Any) -> dict[str, int]:
    sums: dict[str, int] = {}
    for tally, number in store.tallies.items():
        name = key(tally)
        if name is not None:
            sums[name] = sums.get(name, 0) + number
    return dict(sorted(sums.items()))


def _number(store: Store, what: str) -> int:
    row = store.database.execute(f"SELECT count(*) FROM {what}").fetchone()
    return int(row[0])


def _rows(
    store: Store, sql: str, parameters: tuple[str | int, ...] = ()
) -> Iterable[Mapping[str, Any]]:
    cursor: sqlite3.Cursor = store.database.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield {name: _value(name, value) for name, value in zip(names, row, strict=True)}


def _value(name: str, value: Any) -> Any:
    """A column as JSON shows it: what is stored as JSON goes out as it is."""
    if name in _BOOLEAN_COLUMNS:
        return bool(value)
    if name in _JSON_COLUMNS and value is not None:
        return _raw(value if isinstance(value, bytes) else value.encode())
    return value


def _raw(text: bytes) -> msgspec.Raw | str:
    """JSON as it is; what arrived and is no JSON, as a text."""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return text.decode(errors="replace")
    return msgspec.Raw(text)


def _page(request: web.Request, sql: str, parameters: tuple[str | int, ...] = ()) -> web.Response:
    store = _settled(request)
    try:
        limit = min(int(request.query.get("limit", LIMIT)), LIMIT_MAX)
        offset = int(request.query.get("offset", 0))
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"limit and offset must be whole numbers: {error}") from error
    rows = _rows(store, f"{sql} LIMIT ? OFFSET ?", (*parameters, max(limit, 0), max(offset, 0)))
    return _json(list(rows))


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), content_type="application/json", status=status
    )
