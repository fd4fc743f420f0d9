"""Who may write as a job: leases with an epoch, judged from rows of the `leases` table.

A claim takes the next epoch. Whoever finds a lease that was not released first challenges it: a
holder that lives answers. Clocks are not compared; only the order of the rows counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Entry = Literal["claim", "challenge", "answer", "release"]

COUNTER_BITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """One row, in the order of its commit."""

    version: int
    entry: Entry
    epoch: int
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseState:
    """What the rows of one lease come to."""

    epoch: int = 0
    holder: str | None = None
    """Who holds it; None when nobody does."""
    challenged: bool = False
    """Somebody asks whether the holder lives, and has no answer yet."""


def judge(rows: Iterable[LeaseRow], known: LeaseState | None = None) -> LeaseState:
    """Fold the rows of one lease in commit order, on top of what was known before them.

    Of two claims of one epoch the first wins.
    """
    state = known if known is not None else LeaseState()
    for row in sorted(rows, key=lambda row: row.version):
        match row.entry:
            case "claim" if row.epoch > state.epoch:
                state = LeaseState(epoch=row.epoch, holder=row.holder)
            case "challenge" if state.holder is not None:
                state = LeaseState(epoch=state.epoch, holder=state.holder, challenged=True)
            case "answer" if row.holder == state.holder and row.epoch == state.epoch:
                state = LeaseState(epoch=state.epoch, holder=state.holder)
            case "release" if row.holder == state.holder and row.epoch == state.epoch:
                state = LeaseState(epoch=state.epoch)
            case _:
                pass
    return state


def txn_version(epoch: int, counter: int) -> int:
    """Delta's transaction version: any append of an older epoch is lower than the claim's own."""
    if not 0 <= counter < 2**COUNTER_BITS:
        raise ValueError(f"the counter of an epoch's appends is out of range: {counter}")
    return (epoch << COUNTER_BITS) + counter
