"""Take personal data out of a server's words before they are kept.

An error text may quote the payload it refuses. What can hold a person is replaced by its kind:
e-mail addresses, everything in quotes after a colon or in the middle of prose, and long runs of
digits or of random-looking letters.
"""

import json
import re
from typing import Final

CAP: Final = 300
"""Characters of an answer that are kept."""

_EMAIL: Final = re.compile(r"[^\s\"'<>,;:]+@[^\s\"'<>,;:]+")
_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`")
_TOKEN: Final = re.compile(r"\b(?=\w*\d)\w{8,}\b|\b\d{4,}\b")


def scrub(text: str) -> str:
    """The text without what could be personal, at most 300 characters."""
    cleaned = "; ".join(_messages(text))
    cleaned = _QUOTED.sub("[value]", cleaned)
    cleaned = _EMAIL.sub("[email]", cleaned)
    cleaned = _TOKEN.sub("[value]", cleaned)
    cleaned = " ".join(cleaned.split())
    return cleaned if len(cleaned) <= CAP else cleaned[: CAP - 3] + "..."


def _messages(text: str) -> list[str]:
    """The messages of `{"meta": {"errors": [...]}}` where the answer has that shape."""
    try:
        errors = json.loads(text)["meta"]["errors"]
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
