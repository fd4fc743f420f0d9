"""Schedule failures, look at them, call them off: `/_sandbox/failures`."""

import time
from typing import Any, Final

import msgspec
from aiohttp import web

from pipeline.sandbox.failure import parse_failure
from pipeline.sandbox.receive import SANDBOX
from pipeline.sandbox.schedule import Planned, is_active, is_over

routes: Final = web.RouteTableDef()


@routes.post("/_sandbox/failures")
async def schedule(request: web.Request) -> web.Response:
    """Schedule one; its time begins to run now."""
    try:
        failure = parse_failure(await request.read())
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)
    return _json(_shown(request.app[SANDBOX].schedule(failure)), status=201)


@routes.get("/_sandbox/failures")
async def listed(request: web.Request) -> web.Response:
    """All that were scheduled, with their progress."""
    return _json([_shown(planned) for planned in request.app[SANDBOX].plans])


@routes.delete("/_sandbox/failures")
async def clear(request: web.Request) -> web.Response:
    """Call off all of them."""
    request.app[SANDBOX].plans = ()
    return _json([])


def _shown(planned: Planned) -> dict[str, Any]:
    now = time.monotonic()
    state = "over" if is_over(planned, now) else "active" if is_active(planned, now) else "waiting"
    return {
        "number": planned.number,
        "state": state,
        "seen": planned.seen,
        "struck": planned.struck,
        "failure": planned.failure,
    }


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), content_type="application/json", status=status
    )
