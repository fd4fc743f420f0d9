"""How the destination falls ill, one way after the other."""

from dataclasses import dataclass
from typing import Final

from pipeline.sandbox.failure import Failure, Match

STRUCK: Final = 4
"""Requests that each illness makes fail at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Illness:
    """One way to be ill until it is called off, with a sentence for who watches."""

    says: str
    failures: tuple[Failure, ...]


ILLNESSES: Final = (
    Illness(
        says="503: the service is down.",
        failures=(Failure(kind="status", status=503),),
    ),
    Illness(
        says="429: too many requests, come back in a second.",
        failures=(Failure(kind="status", status=429, retry_after=1),),
    ),
    Illness(
        says="Connections are reset after the calls were taken: their answers are lost.",
        # Only batches, not probes: a probe whose answer is lost would hold all the batches back.
        failures=(Failure(kind="reset", when="after", match=Match(event="Order Completed")),),
    ),
    Illness(
        says="401: the key is revoked, and put back.",
        failures=(Failure(kind="key_revoked"),),
    ),
)
