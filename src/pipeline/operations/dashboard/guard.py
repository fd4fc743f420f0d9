"""Who may see the dashboards: all on this machine, and elsewhere who has the token."""

import hmac
import ipaddress
import secrets
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

COOKIE: Final = "dashboard"
PARAMETER: Final = "token"


def loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone; a name other than localhost is not."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)


def guard(token: str) -> Middleware:
    """Lets through who has *token*: once in the address, from then on in a cookie."""

    @web.middleware
    async def look(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.query.get(PARAMETER)
        if given is not None and _same(given, token):
            # Out of the address bar, the history and the next page's Referer.
            found = web.HTTPFound(request.path)
            found.set_cookie(COOKIE, token, httponly=True, samesite="Strict")
            found.headers["Referrer-Policy"] = "no-referrer"
            raise found
        if not _same(request.cookies.get(COOKIE, ""), token):
            raise web.HTTPUnauthorized(
                text="This page needs its token: open the address that `pipeline dashboard` printed"
            )
        return await handler(request)

    return look


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())
