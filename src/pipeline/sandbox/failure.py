"""Failures that can be scheduled, and how they are written as JSON."""

from typing import Annotated, Final, Literal

import msgspec

from pipeline.sandbox.read import ENDPOINTS

Kind = Literal["status", "latency", "reset", "key_revoked", "timeout"]
When = Literal["before", "after"]

HOLD_MS: Final = 600_000
"""How long a `timeout` keeps the connection when `latency_ms` is not given."""

Seconds = Annotated[float, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]


class Match(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only requests with a call that has these values."""

    event: str | None = None
    user_id: str | None = None


class Failure(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One way to fail, for how long, for which requests."""

    kind: Kind
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] | None = None
    """For `status`: what is answered."""
    retry_after: str | Annotated[int, msgspec.Meta(ge=0)] | None = None
    """For `status`: the Retry-After header, in seconds or as an HTTP date."""
    latency_ms: Seconds | None = None
    """For `latency`: the delay. For `timeout`: how long the connection is held."""
    when: When = "before"
    """Whether the calls are lost (`before`) or applied and only their answer is lost (`after`)."""
    after_seconds: Seconds = 0
    """When it begins, from the moment it is scheduled."""
    seconds: Seconds | None = None
    """How long it lasts from then; without it, until it is cleared."""
    requests: Positive | None = None
    """How many requests it makes fail before it ends."""
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    """Share of the requests that fail, evenly spread by counting, not by chance."""
    endpoints: tuple[str, ...] = ()
    """Only these, such as `batch`; none means all."""
    match: Match | None = None

    def __post_init__(self) -> None:
        """Refuse a failure that lacks what its kind needs.

        Raises:
            ValueError: A field is missing, or does not belong to the kind.
        """
        if (self.kind == "status") != (self.status is not None):
            raise ValueError("`status` belongs to kind status, and is required there")
        if self.kind == "latency" and self.latency_ms is None:
            raise ValueError("kind latency needs `latency_ms`")
        if self.retry_after is not None and self.kind != "status":
            raise ValueError("`retry_after` belongs to kind status")
        unknown = sorted(set(self.endpoints) - set(ENDPOINTS))
        if unknown:
            raise ValueError(f"`endpoints` has {', '.join(unknown)}: give {', '.join(ENDPOINTS)}")


def parse_failure(body: bytes) -> Failure:
    """A failure from JSON.

    Raises:
        ValueError: It is no JSON, or a field is unknown, missing or out of range.
    """
    try:
        return msgspec.json.decode(body, type=Failure)
    except msgspec.DecodeError as error:
        raise ValueError(f"failure: {error}") from error


def parse_failures(body: bytes) -> tuple[Failure, ...]:
    """Failures from a JSON array.

    Raises:
        ValueError: As `parse_failure`.
    """
    try:
        return msgspec.json.decode(body, type=tuple[Failure, ...])
    except msgspec.DecodeError as error:
        raise ValueError(f"failures: {error}") from error
