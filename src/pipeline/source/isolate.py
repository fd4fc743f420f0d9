"""Find the rows that cannot be mapped, so that one bad value never stops a stream.

Everything is evaluated once into nothing. When that raises, the rows are parted by hash, again
and again, until each that raises stands alone: so the answer does not depend on how an engine
evaluates, only on whether it raises.
"""

from dataclasses import dataclass
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.core.feed import FeedError
from pipeline.source.checked import CheckedFeed
from pipeline.source.draft import messages, narrowed, order_columns
from pipeline.source.errors import by_row
from pipeline.source.isolated import BadRow, Isolated, row_hash
from pipeline.source.view import PREFIX

MAX_ISOLATED: Final = 20
"""More rows than this that cannot be mapped, and the mapping is wrong."""
_WAYS: Final = 16
"""Parts that a failing part is cut into."""
_COLLECTED: Final = 64
"""A failing part of at most this many rows is tried row by row."""
_HASH: Final = f"{PREFIX}hash"
_ORDER: Final = f"{PREFIX}order"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Rows whose hash has *residue* modulo *modulus*, as an unsigned number of many digits."""

    modulus: int
    residue: int

    def cut(self) -> list["_Part"]:
        """Parts that together are this one."""
        return [
            _Part(modulus=self.modulus * _WAYS, residue=self.residue + self.modulus * i)
            for i in range(_WAYS)
        ]


class WrongMappingError(FeedError):
    """So many rows raise that it is the mapping that is wrong, not they."""


def split(netted: DataFrame, checked: CheckedFeed, *, max_isolated: int = MAX_ISOLATED) -> Isolated:
    """The net changes for which an expression raises; none without a pass where none can.

    Raises:
        FeedError: there are more than *max_isolated*; the mapping is wrong, not the rows.
    """
    if not checked.fallible or _raised(netted, checked) is None:
        return Isolated(rows=())
    waiting = _Part(modulus=1, residue=0).cut()
    bad: list[BadRow] = []
    while waiting:
        part = waiting.pop()
        rows = netted.where(F.pmod(row_hash(), F.lit(part.modulus)) == part.residue)
        if _raised(rows, checked) is None:
            continue
        hashes = [row[0] for row in rows.select(row_hash()).limit(_COLLECTED + 1).collect()]
        if len(hashes) > _COLLECTED:
            waiting += part.cut()
        else:
            bad += _one_by_one(rows, checked, hashes, max_isolated - len(bad))
        if len(bad) > max_isolated:
            raise WrongMappingError(
                f"{checked.feed.file}: more than {max_isolated} changes of one micro-batch cannot "
                f"be mapped ({', '.join(sorted({row.reason for row in bad}))}); that is a wrong "
                "mapping: use try_cast and the like, or filter such rows out"
            )
    return Isolated(rows=tuple(sorted(bad, key=lambda row: row.hash)))


def _one_by_one(
    rows: DataFrame, checked: CheckedFeed, hashes: list[int], at_most: int
) -> list[BadRow]:
    """Those among few rows that raise; stops one after *at_most*."""
    halves = [hashes]
    bad: list[BadRow] = []
    while halves and len(bad) <= at_most:
        some = halves.pop()
        reason = _raised(rows.where(row_hash().isin(some)), checked)
        if reason is None:
            continue
        if len(some) == 1:
            bad.append(BadRow(hash=some[0], reason=reason))
        else:
            middle = len(some) // 2
            halves += [some[:middle], some[middle:]]
    return bad


def _raised(netted: DataFrame, checked: CheckedFeed) -> str | None:
    """The error class of an expression that raises for one of the rows; None where none does.

    Raises:
        Exception: something else failed, which is no row's fault.
    """
    narrow = narrowed(netted, checked, None)
    order = F.struct(*(c.alias(f"o{i}") for i, c in enumerate(order_columns(checked))))
    names: tuple[str, ...] = ()
    if checked.feed.order_by:
        narrow, names = narrow.withColumn(_ORDER, order), (_ORDER,)
    try:
        messages(narrow, checked, *names).write.format("noop").mode("overwrite").save()
    except Exception as error:  # a failed job may come as the bridge's own error
        if (reason := by_row(error)) is not None:
            return reason
        raise
    return None
