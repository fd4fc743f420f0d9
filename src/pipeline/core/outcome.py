"""What became of a request. Closed: whoever matches one, matches all."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Answered 200: the destination has every call of the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retryable:
    """The destination's fault, or the network's: the same calls may be accepted later."""

    reason: str
    """A short code: `http_503`, `timeout`, `reset`, ..."""
    retry_after: timedelta = timedelta()
    """What the server asked for; nothing when it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Refused for its content (400): a batch is bisected, a single call is a dead letter."""

    reason: str
    detail: str
    """The server's words, scrubbed and capped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Nobody's calls get through (401, 403): what is left stays unsent, the feed waits."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One call of a batch that was refused while its siblings were accepted."""

    place: int
    """In the batch, from 0."""
    detail: str
    """The server's words, scrubbed and capped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """The answer names the calls that were refused; all others were accepted."""

    reason: str
    refused: tuple[Refusal, ...]


Outcome = Accepted | Retryable | Rejected | Held | Mixed
