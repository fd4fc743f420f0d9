"""Ages as people write them: 30s, 15m, 2h, 3d."""

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_AGE: Final = re.compile(r"^(\d+)([smhd])$")


def parse_age(text: str) -> timedelta:
    """The duration that *text* means.

    Raises:
        ValueError: it is no number with one of the units s, m, h, d.
    """
    found = _AGE.match(text.strip().lower())
    if found is None:
        raise ValueError(f"{text}: expected a number and a unit, such as 30s, 15m, 2h or 3d")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def age_text(seconds: float | None) -> str:
    """Seconds as a person says them, in the largest unit that leaves more than one."""
    if seconds is None:
        return "-"
    for unit, size in reversed(_UNITS.items()):
        if seconds >= 2 * size or unit == "s":
            return f"{seconds / size:.0f} {unit}"
    raise AssertionError(seconds)
