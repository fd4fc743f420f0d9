"""How the destination falls ill, one way after the other."""

from dataclasses import dataclass
from typing import Final

from pipeline.sandbox.failure import Failure

SECONDS: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Illness:
    """One way to be ill, with a sentence for who watches."""

    says: str
    failures: tuple[Failure, ...]


ILLNESSES: Final = (
    Illness(
        says="503: the service is down.",
        failures=(Failure(kind="status", status=503, seconds=SECONDS),),
    ),
    Illness(
        says="429: too many requests, come back in a second.",
        failures=(Failure(kind="status", status=429, retry_after=1, seconds=SECONDS),),
    ),
    Illness(
        says="Connections are reset, some after the calls were taken: their answer is lost.",
        failures=(
            Failure(kind="reset", when="after", requests=2, seconds=SECONDS),
            Failure(kind="reset", seconds=SECONDS),
        ),
    ),
    Illness(
        says="401: the key is revoked, and put back.",
        failures=(Failure(kind="key_revoked", seconds=SECONDS),),
    ),
)
