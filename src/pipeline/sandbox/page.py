"""The page at `/`: what a person who opens the sandbox in a browser sees."""

from html import escape
from typing import Final

from aiohttp import web

from pipeline.sandbox.read import ENDPOINTS
from pipeline.sandbox.receive import SANDBOX

_QUESTIONS: Final = (
    ("GET", "/_sandbox/health", "is it up"),
    ("GET", "/_sandbox/counts", "sums over everything that arrived"),
    ("GET", "/_sandbox/people", "people who exist; limit, offset"),
    ("GET", "/_sandbox/people/{id}", "one person: attributes, devices, relationships"),
    ("GET", "/_sandbox/people/{id}/events", "one person's events, in order of arrival"),
    ("GET", "/_sandbox/message_ids", "every message id with its count, as NDJSON"),
    ("GET", "/_sandbox/messages/{id}", "every arrival of one message id"),
    ("GET", "/_sandbox/objects", "objects that groups made"),
    ("GET", "/_sandbox/relationships", "who is related to which object"),
    ("GET", "/_sandbox/dropped", "calls that were answered 200 and vanished"),
    ("GET", "/_sandbox/requests", "the newest requests"),
    ("GET", "/_sandbox/failures", "scheduled failures and their progress"),
    ("POST", "/_sandbox/failures", "schedule a failure"),
    ("DELETE", "/_sandbox/failures", "call off all failures"),
    ("POST", "/_sandbox/reset", "forget everything"),
)

_PAGE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Customer.io sandbox</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem;
  margin: 2rem auto; padding: 0 1rem }}
td {{ padding: .1rem 1rem .1rem 0; vertical-align: top }}
</style></head>
<body>
<h1>Customer.io sandbox</h1>
<p>A local stand-in for the Data Pipelines API, region {region}. Nothing here leaves this
machine. Calls go to {endpoints}, with HTTP Basic authentication: the write key is the user
name, the password is empty.</p>
<h2>What can be asked</h2>
<table>{rows}</table>
</body>
</html>
"""


async def index(request: web.Request) -> web.Response:
    """The page itself."""
    rows = "".join(
        f"<tr><td>{method}</td><td>{_link(method, path)}</td><td>{escape(text)}</td></tr>"
        for method, path, text in _QUESTIONS
    )
    endpoints = ", ".join(f"<code>/v1/{name}</code>" for name in ENDPOINTS)
    region = request.app[SANDBOX].config.region
    text = _PAGE.format(region=region, endpoints=endpoints, rows=rows)
    return web.Response(text=text, content_type="text/html")


def _link(method: str, path: str) -> str:
    code = f"<code>{escape(path)}</code>"
    return code if method != "GET" or "{" in path else f'<a href="{path}">{code}</a>'
