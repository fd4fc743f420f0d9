"""Destinations that are ill in one way or another, for a while or for ever: the sandbox plays them.

Time is packed: waits between attempts are left out, so a round here stands for minutes there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chaos.wire import END, Arrived, Line, arrived, drafts
from pipeline.sandbox.failure import Failure, Match
from pipeline.sandbox.running import running_sandbox

RECOVERY = 240
"""Seconds in which what still waits is sent after an illness that had the rate fall to its floor.

That is one request a second, of few messages here, and it rises with the next slice only.
"""


@dataclass(frozen=True, slots=True)
class Endured:
    """What came of one illness."""

    messages: int
    unended: int
    dead: frozenset[str]
    arrived: Arrived
    differing: int
    """Messages that are accepted and did not arrive, or the other way round."""
    holds: frozenset[str]
    requests: int
    rounds: int

    @property
    def kept(self) -> bool:
        """Nothing lost, in order, repeats the same."""
        wrong = (self.unended, self.differing, self.arrived.out_of_order, self.arrived.differing)
        return not any(wrong)


def endure(  # noqa: PLR0913  each illness sets its own
    folder: Path,
    failures: list[Failure],
    *,
    messages: int,
    seconds: float,
    timeout: float = 1.0,
    breaker_failures: int = 5,
    batch_bytes: int = 3_000,
    dead_count: int = 50,
    change: Callable[[Line], None] = lambda _: None,
) -> Endured:
    """Send under *failures*, for *seconds* and until all has ended or the feed holds."""
    with running_sandbox(
        write_key="k", database=folder / "sandbox.db", failures=failures
    ) as sandbox:
        line = Line(
            sandbox.base_url,
            "k",
            timeout=timeout,
            breaker_failures=breaker_failures,
            batch_bytes=batch_bytes,
            dead_count=dead_count,
        )
        change(line)
        line.send(drafts(messages, people=40), seconds)
        sandbox.client.counts()  # waits until what was answered is in the file
        found = arrived(folder / "sandbox.db")
    kinds = line.kinds()
    accepted = {event for event, kind in kinds.items() if kind == "accepted"}
    return Endured(
        messages=messages,
        unended=messages - sum(kind in END for kind in kinds.values()),
        dead=frozenset(event for event, kind in kinds.items() if kind == "dead"),
        arrived=found,
        differing=len(accepted ^ set(found.events)),
        holds=frozenset(line.holds),
        requests=len(line.requests()),
        rounds=line.rounds,
    )


def one_in_ten(folder: Path, messages: int, seconds: float) -> Endured:
    """The API accepts one batch in ten, for *seconds*."""
    failures = [Failure(kind="status", status=503, share=0.9, seconds=seconds)]
    return endure(folder, failures, messages=messages, seconds=seconds + RECOVERY)


def wrong_key(folder: Path, messages: int, seconds: float) -> Endured:
    """The key is wrong, and right again after *seconds*."""
    failures = [Failure(kind="key_revoked", seconds=seconds)]
    return endure(folder, failures, messages=messages, seconds=seconds + 60)


def slow_for_ever(folder: Path, messages: int, seconds: float) -> Endured:
    """Each answer takes long, but comes."""
    failures = [Failure(kind="latency", latency_ms=250)]
    return endure(folder, failures, messages=messages, seconds=seconds + 60)


def storm_of_429(folder: Path, messages: int, seconds: float) -> Endured:
    """Two of three requests are answered 429 for *seconds*."""
    failures = [Failure(kind="status", status=429, retry_after=1, share=0.67, seconds=seconds)]
    return endure(folder, failures, messages=messages, seconds=seconds + RECOVERY)


def lost_answers(folder: Path, messages: int, seconds: float) -> Endured:
    """A third of the requests is applied, and the connection reset in place of an answer."""
    failures = [Failure(kind="reset", when="after", share=0.33, seconds=seconds)]
    return endure(folder, failures, messages=messages, seconds=seconds + 60)


def one_bad_call(folder: Path, messages: int, seconds: float) -> Endured:
    """One call is refused: the batch is bisected until it stands alone."""
    bad = f"e{messages // 3:06}"
    failures = [Failure(kind="status", status=400, match=Match(event=bad))]
    return endure(folder, failures, messages=messages, seconds=seconds + 60, batch_bytes=500_000)


def every_third(folder: Path, messages: int, seconds: float) -> Endured:
    """A third of the people is refused: that is a wrong mapping, and the feed must hold."""
    failures = [
        Failure(kind="status", status=400, match=Match(user_id=f"p{number:03}"))
        for number in range(0, 40, 3)
    ]
    return endure(folder, failures, messages=messages, seconds=seconds, batch_bytes=500_000)
