"""What a count is expected to be, from its own history: the season of the week, robustly.

The samples are the same hour of the week and its two neighbours in the weeks before; the centre is
their median, the spread their median absolute deviation (Hampel 1974; the cut-off on MAD as in
Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993). Counts are compared as
2 * sqrt(x + 3/8), which makes a Poisson count's spread 1 whatever its mean (Anscombe 1948), so
that night and day, a small feed and a large one, are judged alike. Half of the history may be
outages or floods without moving the range.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Final

HOUR: Final = timedelta(hours=1)
WEEKS: Final = 8
"""Weeks of history that are looked at."""
DAYS: Final = 14
"""Days that are looked at while there are too few weeks."""
FEW_WEEKS: Final = 3
FEW_DAYS: Final = 5
RECENT: Final = 168
"""Hours that say how noisy a feed is."""
NORMAL: Final = 1.4826
"""MAD to the standard deviation of a normal distribution."""
CUT: Final = 4.5
"""Spreads from the centre that are still expected. On a retailer's real year by the hour, 16 of
7,242 hours of baskets are called unusual: all of them Thanksgiving and Christmas, when the stores
were closed. Of line items, which come in tens, 13: two of them on another holiday. See the test."""
SURE: Final = 10.0
"""Changes that must be expected in a span before none of them is silence: exp(-10) is 1 in
22,000 for a Poisson count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How values are compared: on this scale their spread does not depend on their size."""

    to: Callable[[float], float]
    back: Callable[[float], float]
    least: float
    """The least spread that is believed, on the scale."""
    absent: float | None
    """What an hour without a value stands for; None: for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A range, and what it was made from."""

    low: float
    centre: float
    high: float
    samples: int
    season: str
    """`week` or `day`."""

    def __contains__(self, value: float) -> bool:
        """Whether *value* is as expected."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        """For people."""
        return f"{self.low:,.0f} to {self.high:,.0f}"


def _stable(value: float) -> float:
    """Anscombe's transform."""
    return 2 * math.sqrt(max(value, 0.0) + 3 / 8)


def _back(value: float) -> float:
    return max((max(value, 0.0) / 2) ** 2 - 3 / 8, 0.0)


def _log(value: float) -> float:
    return math.log(max(value, 0.0) + TINY)


def _exp(value: float) -> float:
    return max(math.exp(value) - TINY, 0.0)


TINY: Final = 1e-3
"""Added to a level before its logarithm, so that nought has one."""
COUNTS: Final = Scale(to=_stable, back=_back, least=1.0, absent=0.0)
"""Counts of an hour: an hour that is not named had none."""
LEVELS: Final = Scale(to=_log, back=_exp, least=0.15, absent=None)
"""Shares, seconds, lengths of a queue: they vary by factors. An hour without one says nothing, and
less than twice the usual (4.5 times 0.15, as a logarithm) is never unusual."""


def expected(
    history: Mapping[datetime, float], hour: datetime, scale: Scale = COUNTS
) -> Expected | None:
    """The range for the hour that begins at *hour*; None while the history is too short.

    *history* has values by the beginning of their hour. Where *scale* says so, hours that it does
    not name have its absent value from its first hour on.
    """
    if not history:
        return None
    first = min(history)
    for season, step, most, few in (
        ("week", timedelta(weeks=1), WEEKS, FEW_WEEKS),
        ("day", timedelta(days=1), DAYS, FEW_DAYS),
    ):
        back = [hour - step * n for n in range(1, most + 1) if hour - step * n >= first]
        if len(back) >= few:
            near = (at + HOUR * shift for at in back for shift in (-1, 0, 1))
            found = (history.get(at, scale.absent) for at in near)
            samples = [one for one in found if one is not None]
            if len(samples) >= few:
                return _range(samples, season, _noise(history, hour, step, scale), scale)
    return None


def _noise(
    history: Mapping[datetime, float], hour: datetime, season: timedelta, scale: Scale
) -> float:
    """The usual spread of this feed whatever the hour.

    By how much an hour differs from the one a season before. Where a purchase is ten rows, the
    quiet hours alone would promise too much.
    """
    recent = (hour - HOUR * n for n in range(1, RECENT + 1))
    pairs = (
        (history.get(at, scale.absent), history.get(at - season, scale.absent)) for at in recent
    )
    differences = [
        abs(scale.to(a) - scale.to(b))
        for a, b in pairs
        if a is not None and b is not None and (a or b)
    ]
    return NORMAL * median(differences) / math.sqrt(2) if differences else 0.0


def _range(samples: list[float], season: str, noise: float, scale: Scale) -> Expected:
    stable = [scale.to(value) for value in samples]
    centre = median(stable)
    spread = max(NORMAL * median(abs(value - centre) for value in stable), noise, scale.least)
    return Expected(
        low=scale.back(centre - CUT * spread),
        centre=scale.back(centre),
        high=scale.back(centre + CUT * spread),
        samples=len(samples),
        season=season,
    )


def silence_after(usual: Expected | None) -> timedelta | None:
    """How long nothing at all must come before it is an anomaly; None where that is never said.

    Judged by the lower end of what an hour usually brings: a feed that rests at night is not
    silent then, and a busy one is found silent within minutes.
    """
    if usual is None or usual.low < SURE:
        return None
    return max(HOUR * (SURE / usual.low), timedelta(minutes=5))
