"""Tell what looks like personal data, by the name of a property or by its value."""

import re
from collections.abc import Iterable
from typing import Final

NAME_PATTERN: Final = (
    r"(?i)(^|[^a-z])(e[-_]?mail|phone|mobile|msisdn|first[-_]?name|last[-_]?name|full[-_]?name|"
    r"surname|birth|birthday|dob|ssn|iban|passport|street|postcode|ip[-_]?address|"
    r"credit[-_]?card)([^a-z]|$)"
)
"""Names that say it themselves; Java's and Python's regular expressions read it alike."""

VALUE_PATTERNS: Final = {
    "an e-mail address": r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",
    "a phone number": r"(^|[^0-9A-Za-z+])\+[1-9][0-9]{1,2}[ -]?[0-9][0-9 -]{6,12}[0-9]($|[^0-9])",
    "an IBAN": r"(^|[^A-Z0-9])[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}($|[^A-Z0-9])",
    "an IP address": (
        r"(^|[^0-9.])((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}"
        r"(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])($|[^0-9.])"
    ),
}
"""What a value may be, and the expression that finds it."""

_WORD = re.compile(r"([a-z0-9])([A-Z])")


def snake(name: str) -> str:
    """`billingEmail` as `billing_email`, so that words in a name can be told apart."""
    return _WORD.sub(r"\1_\2", name)


def is_named_so(name: str) -> bool:
    """Whether a property's name says that it is personal."""
    return re.search(NAME_PATTERN, snake(name)) is not None


def kinds_of(value: str) -> tuple[str, ...]:
    """What personal data a text looks like; none for most."""
    return tuple(kind for kind, one in VALUE_PATTERNS.items() if re.search(one, value))


def is_declared(name: str, declared: Iterable[str]) -> bool:
    """Whether a feed says of a property, or of what it is in, that it is personal."""
    return any(name == one or name.startswith(f"{one}.") for one in declared)
