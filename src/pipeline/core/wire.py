"""The API on the wire, without any I/O: calls to a request, an answer to an outcome.

Paths, statuses and strict mode: https://docs.customer.io/integrations/api/cdp/.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from pipeline.core.outcome import Accepted, Held, Mixed, Outcome, Refusal, Rejected, Retryable
from pipeline.core.scrub import scrub

BASE_URLS: Final[Mapping[str, str]] = {
    "us": "https://cdp.customer.io",
    "eu": "https://cdp-eu.customer.io",
}

OK: Final = 200
MULTI_STATUS: Final = 207
BAD_REQUEST: Final = 400
HOLDING: Final = frozenset({401, 403})
RETRYABLE: Final = frozenset({408, 425, 429})
FIRST_SERVER_ERROR: Final = 500

BATCH_PREFIX: Final = b'{"batch":['
RETRY_AFTER_MAX: Final = timedelta(hours=24)
"""A server that asks for more is answered with this: a day is long enough to be noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One POST: where to, and the bytes."""

    endpoint: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server said."""

    status: int
    retry_after: str | None
    text: str
    """The first part of the body; may quote a payload, so it is scrubbed before it is kept."""
    date: str | None = None
    """The server's clock, an HTTP date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """What the network said instead: `timeout`, `reset`, `connect`, ..."""

    reason: str


def headers(write_key: str, *, strict: bool) -> dict[str, str]:
    """Headers of each request. Strict mode turns a silent 200 into the 400 or 401 that it is."""
    credentials = base64.b64encode(f"{write_key}:".encode()).decode()
    common = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
    return {**common, "X-Strict-Mode": "1"} if strict else common


def batch_suffix(envelope: bytes) -> bytes:
    """What closes a batch: its `context` and `integrations`, given as a JSON object."""
    inner = envelope.strip()[1:-1].strip()
    return b"]," + inner + b"}" if inner else b"]}"


def batch_request(calls: bytes | memoryview, envelope: bytes) -> Request:
    """A batch of comma-separated calls; a comma at their end is cut off."""
    calls = calls[:-1] if bytes(calls[-1:]) == b"," else calls
    return Request(endpoint="batch", body=b"".join((BATCH_PREFIX, calls, batch_suffix(envelope))))


def single_request(call_type: str, call: bytes, envelope: bytes) -> Request:
    """One call alone, with the envelope's parts put into it."""
    call = call.rstrip(b",")
    inner = envelope.strip()[1:-1].strip()
    return Request(endpoint=call_type, body=call[:-1] + b"," + inner + b"}" if inner else call)


def probe_request() -> Request:
    """A harmless request that strict mode refuses for its content (400), if the key is right."""
    return Request(endpoint="batch", body=b'{"batch":[]}')


def classify(answer: Answer | NoAnswer, now: datetime, request: bytes = b"") -> Outcome:
    """What an answer to *request* means. Only 200 is accepted; a redirect delivers nothing."""
    match answer:
        case NoAnswer(reason=reason):
            return Retryable(reason=reason)
        case Answer(status=status) if status == OK:
            return _mixed(answer, request) or Accepted()
        case Answer(status=status) if status == MULTI_STATUS and (mixed := _mixed(answer, request)):
            return mixed
        case Answer(status=status) if status in HOLDING:
            return Held(reason=f"http_{status}")
        case Answer(status=status) if status in RETRYABLE or status >= FIRST_SERVER_ERROR:
            return Retryable(
                reason=f"http_{status}", retry_after=parse_retry_after(answer.retry_after, now)
            )
        case Answer(status=status, text=text):
            return Rejected(reason=f"http_{status}", detail=scrub(text, request))


def _mixed(answer: Answer, request: bytes) -> Mixed | None:
    """Errors for each call, as `{"errors": [{"batch_index": 3, ...}]}`, at the top or in `meta`.

    The form that Customer.io documents for its Track batch
    (https://docs.customer.io/integrations/api/track/#operation/batch); what cannot be read so
    leaves the answer to its status.
    """
    if '"errors"' not in answer.text:
        return None
    try:
        body = json.loads(answer.text)
    except ValueError:
        return None
    meta = body.get("meta") if isinstance(body, dict) else None
    for holder in (body, meta):
        errors = holder.get("errors") if isinstance(holder, dict) else None
        if not isinstance(errors, list) or not errors:
            continue
        refused: dict[int, str] = {}
        for error in errors:
            place = error.get("batch_index") if isinstance(error, dict) else None
            if type(place) is not int or place < 0:
                return None
            refused[place] = scrub(json.dumps(error), request)
        return Mixed(
            reason=f"http_{answer.status}_item",
            refused=tuple(Refusal(place=p, detail=refused[p]) for p in sorted(refused)),
        )
    return None


def parse_retry_after(value: str | None, now: datetime) -> timedelta:
    """Seconds or an HTTP date (RFC 9110, 10.2.3); nothing when absent or unreadable."""
    if value is None:
        return timedelta()
    try:
        wait = timedelta(seconds=min(float(value), RETRY_AFTER_MAX.total_seconds()))
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, TypeError):
            return timedelta()
        wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    return min(max(wait, timedelta()), RETRY_AFTER_MAX)
