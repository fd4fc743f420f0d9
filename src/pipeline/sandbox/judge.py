"""What becomes of a request and of each call in it. Pure.

Strict mode answers 400 or 401; without it everything is a 200, and what is wrong vanishes.
What is too large vanishes in both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from pipeline.sandbox.config import Limits
from pipeline.sandbox.effects import (
    CHANGES_STATE,
    Effect,
    SuppressPerson,
    UnsuppressPerson,
    effect_of,
)
from pipeline.sandbox.read import Call, Item, Reading
from pipeline.sandbox.validation import certainly_valid, find_errors

OK: Final = 200
BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401

WRONG_KEY: Final = "wrong_key"
BATCH_TOO_LARGE: Final = "batch_too_large"
CALL_TOO_LARGE: Final = "call_too_large"
MALFORMED: Final = "malformed"
INVALID: Final = "invalid"
SUPPRESSED: Final = "suppressed"


class Arrival(NamedTuple):
    """One call that arrived, applied or dropped."""

    message_id: str | None
    type: str | None
    user_id: str | None
    anonymous_id: str | None
    event: str | None
    timestamp: str | None
    offset: int
    """Where in the request's body it stands."""
    size: int
    dropped: str | None
    """Why it was dropped; nothing when it was applied."""
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is answered, and what is kept."""

    status: int
    errors: tuple[str, ...] = ()
    arrivals: tuple[Arrival, ...] = ()
    effects: tuple[tuple[int, Effect], ...] = ()
    """What the calls do, each with the place of its arrival."""
    suppressed: frozenset[str]
    """Who is suppressed after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which conditions a request is judged."""

    limits: Limits
    strict: bool
    key_ok: bool
    suppressed: frozenset[str]


def judge(reading: Reading, terms: Terms) -> Verdict:
    """The verdict on a request."""
    if not terms.key_ok:
        if terms.strict:
            return _refused(UNAUTHORIZED, ("unauthorized: unknown write key",), terms)
        return _dropped(reading, WRONG_KEY, terms)
    if reading.endpoint == "batch" and len(reading.body) > terms.limits.batch_bytes:
        return _dropped(reading, BATCH_TOO_LARGE, terms)
    if reading.error is not None:
        if reading.endpoint != "batch" and len(reading.body) > terms.limits.call_bytes:
            return _dropped(reading, CALL_TOO_LARGE, terms)
        if terms.strict:
            return _refused(BAD_REQUEST, (reading.error,), terms)
        return _dropped(reading, MALFORMED, terms)
    if not reading.items and terms.strict:
        return _refused(BAD_REQUEST, ("batch must not be empty",), terms)
    return _judge_calls(reading, terms)


def _refused(status: int, errors: tuple[str, ...], terms: Terms) -> Verdict:
    return Verdict(status=status, errors=errors, suppressed=terms.suppressed)


def _dropped(reading: Reading, reason: str, terms: Terms) -> Verdict:
    """A 200 after which nothing has happened."""
    if reading.error is None:
        arrivals = tuple(_arrival(reading, item, item.call, reason) for item in reading.items)
    else:
        whole = Item(None, 0, len(reading.body))
        arrivals = (_arrival(reading, whole, None, reason, reading.error),)
    return Verdict(status=OK, arrivals=arrivals, suppressed=terms.suppressed)


def _judge_calls(reading: Reading, terms: Terms) -> Verdict:
    suppressed = terms.suppressed
    refusals: list[str] = []
    arrivals: list[Arrival] = []
    effects: list[tuple[int, Effect]] = []
    for place, item in enumerate(reading.items):
        call = item.call
        if item.size > terms.limits.call_bytes:
            arrivals.append(_arrival(reading, item, call, CALL_TOO_LARGE))
            continue
        errors, effect = _look(reading, item, terms.limits)
        if errors:
            prefix = f"batch[{place}]: " if reading.endpoint == "batch" else ""
            refusals.extend(f"{prefix}{error}" for error in errors)
            arrivals.append(_arrival(reading, item, call, INVALID, "; ".join(errors)))
            continue
        if (
            call is not None
            and call.userId in suppressed
            and not isinstance(effect, UnsuppressPerson)
        ):
            arrivals.append(_arrival(reading, item, call, SUPPRESSED))
            continue
        if effect is not None:
            effects.append((place, effect))
            suppressed = _suppressed_after(suppressed, effect)
        arrivals.append(_arrival(reading, item, call, None))
    if refusals and terms.strict:
        return _refused(BAD_REQUEST, tuple(refusals), terms)
    return Verdict(
        status=OK, arrivals=tuple(arrivals), effects=tuple(effects), suppressed=suppressed
    )


def _look(reading: Reading, item: Item, limits: Limits) -> tuple[tuple[str, ...], Effect | None]:
    """Why a call is invalid, or what it does."""
    call, endpoint = item.call, reading.endpoint
    call_type = endpoint if call is None or endpoint != "batch" else call.type
    certain = call is not None and certainly_valid(endpoint, call)
    if certain and call_type not in CHANGES_STATE:
        return (), None
    try:
        decoded: Any = msgspec.json.decode(reading.raw(item))
    except (msgspec.DecodeError, RecursionError) as error:
        return (f"malformed JSON: {error}",), None
    errors = () if certain else find_errors(endpoint, decoded, alias_in_batch=limits.alias_in_batch)
    if errors or call is None:
        return errors or ("the call can not be read",), None
    return (), effect_of(str(call_type), decoded)


def _suppressed_after(suppressed: frozenset[str], effect: Effect) -> frozenset[str]:
    match effect:
        case SuppressPerson(user_id=user_id):
            return suppressed | {user_id}
        case UnsuppressPerson(user_id=user_id):
            return suppressed - {user_id}
        case _:
            return suppressed


def _arrival(
    reading: Reading,
    item: Item,
    call: Call | None,
    dropped: str | None,
    detail: str | None = None,
) -> Arrival:
    if call is None:
        return _of_untyped(reading, item, dropped, detail)
    return Arrival(
        call.messageId or None,
        call.type if reading.endpoint == "batch" else reading.endpoint,
        call.userId,
        call.anonymousId,
        call.event,
        call.timestamp,
        item.offset,
        item.size,
        dropped,
        detail,
    )


def _of_untyped(reading: Reading, item: Item, dropped: str | None, detail: str | None) -> Arrival:
    """What can be told of a call in which a field has a wrong type."""
    try:
        decoded = msgspec.json.decode(reading.raw(item))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        decoded = {}
    call = decoded if isinstance(decoded, Mapping) else {}

    def text(name: str) -> str | None:
        value = call.get(name)
        return value if isinstance(value, str) else None

    return Arrival(
        text("messageId") or None,
        text("type") if reading.endpoint == "batch" else reading.endpoint,
        text("userId"),
        text("anonymousId"),
        text("event"),
        text("timestamp"),
        item.offset,
        item.size,
        dropped,
        detail,
    )
