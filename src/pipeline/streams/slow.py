"""A slice that is past its time before it has sent anything would be repeated for ever.

What it does until then (reading rows, mapping, sorting) grows with its rows, so it goes on in
halves, and in halves of those; and somebody is told, since the setting does not fit the machine.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.log import logger
from pipeline.streams.hold import DEADLINE
from pipeline.streams.runtime import Runtime
from pipeline.tables.alerts import Alert, alert
from pipeline.tables.outcomes import SliceResult

TRIES: Final = 2
"""In vain, before a slice is halved: the first one also pays for what is staged once."""
HALVINGS: Final = 16
"""Of a million rows a few are left by then; what takes long is no longer the rows."""


def in_vain(result: SliceResult, unsent_before: int | None = None) -> bool:
    """Whether nothing came of a slice but that its time was over."""
    nothing = result.unsent in {result.calls, unsent_before}
    return result.holds == (DEADLINE,) and result.unsent > 0 and nothing


def tell_slow(
    spark: SparkSession, runtime: Runtime, feed: str | None, calls: int, *, smallest: bool
) -> None:
    """Say that slices take longer to prepare than they may; *smallest*: halving no more helps."""
    deadline = runtime.settings.delivery.slice_deadline.total_seconds()
    goes_on = "even its smallest part takes too long" if smallest else "it goes on in halves"
    found = Alert(
        alert="slice.slow",
        severity="critical" if smallest else "warning",
        feed=feed,
        metric="slice_calls",
        value=calls,
        expected=f"begins to send within {deadline:g} s",
        detail=f"a slice of {calls:,} messages took longer than delivery.slice_deadline to "
        f"prepare: {goes_on}",
    )
    alert(spark, runtime.where, found)


@dataclass(slots=True)
class Slow:
    """Counts the vain tries of one slice; tells at the first halving, and where none helps."""

    runtime: Runtime
    feed: str
    halvings: int
    """How often its slice was halved to get this part."""
    _vain: int = field(default=0)
    _unsent: int | None = field(default=None)

    def must_halve(self, spark: SparkSession, result: SliceResult) -> bool:
        """Whether the slice must go on in halves."""
        self._vain = self._vain + 1 if in_vain(result, self._unsent) else 0
        self._unsent = result.unsent
        if self._vain < TRIES:
            return False
        smallest = self.halvings >= HALVINGS
        logger(feed=self.feed).warning("slice.slow", halvings=self.halvings, calls=result.calls)
        if self._vain == TRIES and (smallest or self.halvings == 0):
            tell_slow(spark, self.runtime, self.feed, result.calls, smallest=smallest)
        return not smallest


def half_of(rows_of: Callable[[], DataFrame], halvings: int, half: int) -> DataFrame:
    """One half of a slice that was halved *halvings* times; no entity is cut, order is kept."""
    place = F.when(F.col("entity").isNotNull(), F.xxhash64(F.lit(1), "entity")).otherwise(
        F.xxhash64(F.lit(1), "digest")
    )
    return rows_of().where(F.shiftright(place, halvings).bitwiseAND(1) == half)
