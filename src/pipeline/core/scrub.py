"""Take personal data out of a server's words before they are kept.

An error text may quote the payload it refuses, in full or cut off, as JSON or as prose. What can
hold a person is replaced by its kind: whatever is a value of the request itself, e-mail addresses,
everything in quotes, and long runs of digits or of random-looking letters.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic_core import from_json

CAP: Final = 300
"""Characters of an answer that are kept."""
SHORTEST: Final = 3
"""Characters of a value that tell anything about anybody."""

_WORD: Final = re.compile(r"[\w@+.-]+")
_PLAIN: Final = re.compile(r"[a-z_]+|\W*")
"""A word that names nobody."""
_EMAIL: Final = re.compile(r"[^\s\"'<>,;:]+@[^\s\"'<>,;:]+")
_QUOTED: Final = re.compile(
    r"\"(?:\\.|[^\"\\])*(?:\"|\\?$)|\\+\"(?:(?!\\+\").)*(?:\\+\"|$)|'[^']*'|`[^`]*(?:`|$)",
    re.DOTALL,
)
"""To its end, also where that was cut off; with escaped quotes in it, or between such."""
_TOKEN: Final = re.compile(r"\b(?=\w*\d)\w{8,}\b|\b\d{4,}\b")


def scrub(text: str, request: bytes = b"") -> str:
    """The text without what could be personal, at most 300 characters.

    Values of the *request* that it answers are taken out wherever they stand, and names in them.
    """
    cleaned = "; ".join(_messages(text))
    if request:
        cleaned = _without_values(cleaned, request)
    cleaned = _QUOTED.sub("[value]", cleaned)
    cleaned = _EMAIL.sub("[email]", cleaned)
    cleaned = _TOKEN.sub("[value]", cleaned)
    cleaned = " ".join(cleaned.split())
    return cleaned if len(cleaned) <= CAP else cleaned[: CAP - 3] + "..."


def _messages(text: str) -> list[str]:
    """The messages of `{"meta": {"errors": [...]}}` where the answer has that shape, cut or not."""
    try:
        errors = from_json(text, allow_partial="trailing-strings")["meta"]["errors"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return [text]
    if not isinstance(errors, list):
        return [text]
    return [
        str(error.get("message", error.get("reason", "unnamed error")))
        if isinstance(error, dict)
        else str(error)
        for error in errors
    ]


def _without_values(text: str, request: bytes) -> str:
    """The text without the request's values, nor the beginning of one at its end."""
    try:
        known = {value for value in _values(from_json(request)) if len(value) >= SHORTEST}
    except (ValueError, RecursionError):
        return "[an answer to a request that is no JSON]"
    for value in sorted((one for one in known if one in text), key=len, reverse=True):
        text = text.replace(value, "[value]")
    for value in known:
        cut = text.rfind(value[:SHORTEST])
        if cut >= 0 and value.startswith(text[cut:]):
            text = f"{text[:cut]}[value]"
    telling = {word for value in known for word in _telling(value)}
    return _WORD.sub(lambda found: "[value]" if found[0].strip(".") in telling else found[0], text)


def _telling(value: str) -> Iterator[str]:
    """Words of a longer value that may be a name or a number of somebody."""
    for word in _WORD.findall(value):
        bare = word.strip(".")
        if len(bare) >= SHORTEST and not _PLAIN.fullmatch(bare):
            yield bare


def _values(value: Any) -> Iterator[str]:
    """All texts and numbers of a JSON value, but not its names."""
    match value:
        case dict():
            for inner in value.values():
                yield from _values(inner)
        case list():
            for inner in value:
                yield from _values(inner)
        case bool() | None:
            pass
        case _:
            yield str(value)
