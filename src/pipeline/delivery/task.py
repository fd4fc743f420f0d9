"""What one task knows of its slice while it sends: a state that lives as long as the task."""

import secrets
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from pipeline.core.outcome import Accepted, Held, Rejected, Retryable
from pipeline.core.sealed import Sealed, Verdict, Words
from pipeline.delivery.attempt import Sent
from pipeline.delivery.plan import Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """A request for the request log."""

    request_id: str
    endpoint: str
    calls: int
    size: int
    sent: Sent


@dataclass(slots=True)
class Task:
    """Verdicts of the task's messages so far, its requests, and why it holds, if it does."""

    sealed: Sealed
    pace: Pace
    waive_ratio: bool
    verdict: npt.NDArray[np.int8] = field(init=False)
    attempts: npt.NDArray[np.int32] = field(init=False)
    request: npt.NDArray[np.int32] = field(init=False)
    """Index of the request that decided; -1 for none."""
    failed: npt.NDArray[np.bool_] = field(init=False)
    """Queued because its own request failed, not because it waits behind another message."""
    words: dict[int, Words] = field(default_factory=dict)
    """Stage, reason and detail of messages that sending refused or put off."""
    retry_after: dict[int, timedelta] = field(default_factory=dict)
    requests: list[RequestRow] = field(default_factory=list)
    hold: str | None = None
    """Why nothing more is sent; the first reason stands."""
    accepted: int = 0
    refused: int = 0
    prefix: str = field(default_factory=lambda: secrets.token_hex(8))

    def __post_init__(self) -> None:
        """Begin with what mapping and validation said."""
        count = len(self.sealed)
        self.verdict = self.sealed.verdict.copy()
        self.attempts = self.sealed.attempts.copy()
        self.request = np.full(count, -1, dtype=np.int32)
        self.failed = np.zeros(count, dtype=np.bool_)

    def log(self, endpoint: str, calls: int, size: int, sent: Sent) -> int:
        """Note a request; its index."""
        index = len(self.requests)
        self.requests.append(
            RequestRow(
                request_id=f"{self.prefix}-{index}",
                endpoint=endpoint,
                calls=calls,
                size=size,
                sent=sent,
            )
        )
        return index

    def stop(self, reason: str) -> None:
        """Send nothing more: what is pending stays unsent."""
        if self.hold is None:
            self.hold = reason

    def bar(self, place: int, reason: str = "behind_entity") -> None:
        """Queue a message without sending it: behind an earlier one, most of the time."""
        self.verdict[place] = Verdict.QUEUED
        self.words[place] = ("retry", reason, None)

    def settle(
        self,
        places: npt.NDArray[np.int64],
        outcome: Accepted | Retryable | Rejected | Held,
        request: int,
    ) -> None:
        """Note what became of the messages of a request that is decided."""
        match outcome:
            case Accepted():
                self.verdict[places] = Verdict.ACCEPTED
                self.request[places] = request
                self.accepted += len(places)
            case Retryable(reason=reason, retry_after=retry_after):
                self.verdict[places] = Verdict.QUEUED
                self.failed[places] = True
                self.request[places] = request
                for place in places.tolist():
                    self.words[place] = ("destination", reason, None)
                    self.retry_after[place] = retry_after
            case Rejected(reason=reason, detail=detail):
                self.verdict[places] = Verdict.DEAD
                self.request[places] = request
                for place in places.tolist():
                    self.words[place] = ("destination", reason, detail)
                self.refused += len(places)
                if self._too_many_refused():
                    self.stop("refused_share")
            case Held(reason=reason):
                self.stop(reason)

    def _too_many_refused(self) -> bool:
        judged = self.accepted + self.refused
        return (
            not self.waive_ratio
            and self.refused >= self.pace.dead_count
            and self.refused > self.pace.dead_share * judged
        )
