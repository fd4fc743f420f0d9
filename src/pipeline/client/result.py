"""What became of the calls: a value that reads well at the end of a notebook's cell."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SHOWN: Final = 10
"""Refusals that a result prints; all that are kept are in `refusals`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A call that the destination refused; it is not sent again."""

    message_id: str
    call_type: str
    event: str | None
    reason: str
    detail: str | None
    """The destination's own words, without addresses and ids."""

    def __str__(self) -> str:
        """One line."""
        what = f"{self.call_type} {self.event!r}" if self.event else self.call_type
        return f"{what} {self.message_id}: {self.reason}{f': {self.detail}' if self.detail else ''}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Result:
    """What became of the calls since the last flush, and what waits now."""

    accepted: int = 0
    refused: int = 0
    """Refused by the destination; what a model refuses raises at once and is not counted."""
    waiting: int = 0
    """Not delivered yet, in memory: the next flush tries again."""
    spooled: int = 0
    """Not delivered yet, in the spool's folder: survives this process."""
    requests: int = 0
    ill: str | None = None
    """Why the destination can't be reached at the moment, such as `http_503` or `connect`."""
    refusals: tuple[Refusal, ...] = ()
    """What was refused; the first thousand."""

    @property
    def ok(self) -> bool:
        """Whether all calls were accepted."""
        return not (self.refused or self.waiting or self.spooled)

    def __repr__(self) -> str:
        """Counts on one line, then a line a refusal."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        counts = [f"{self.accepted:,} accepted"]
        for count, word in (
            (self.refused, "refused"),
            (self.waiting, "waiting"),
            (self.spooled, "spooled"),
        ):
            if count:
                counts.append(f"{count:,} {word}")
        requests = f"{self.requests:,} request{'' if self.requests == 1 else 's'}"
        yield f"{', '.join(counts)} ({requests})"
        if self.ill is not None:
            yield f"  the destination: {explained(self.ill)}"
        for refusal in self.refusals[:SHOWN]:
            yield f"  refused: {refusal}"
        if self.refused > SHOWN:
            yield f"  and {self.refused - SHOWN:,} more refused"


class UndeliveredError(Exception):
    """Calls were not delivered, and would be lost unseen. `result` says which."""

    def __init__(self, result: Result, advice: str) -> None:
        self.result = result
        super().__init__(f"calls were not delivered: {result!r}\n  {advice}")


def explained(reason: str) -> str:
    """A reason in words, where it has better ones."""
    match reason:
        case "http_401" | "http_403":
            return f"refuses the key ({reason}): is it the write key of this source and region?"
        case "connect":
            return "can't be reached (connect): is the address right, and is there a way to it?"
        case "failing":
            return "answers a probe, and fails whatever is sent"
        case "circuit_open":
            return "fails again and again (circuit_open)"
        case _:
            return reason
