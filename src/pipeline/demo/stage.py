"""What is on the stage: the sandbox, the jobs, the tables, and all that is known about them now."""

import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipeline.core.feed import Feed
from pipeline.demo.children import Child
from pipeline.demo.holds import LogReader
from pipeline.demo.ledger import ACCEPTED, QUEUED, Ledger, OutcomesReader
from pipeline.demo.shop import FEEDS, Shop, Written
from pipeline.sandbox.running import RunningSandbox

ASK_SECONDS: Final = 1.0
"""Between two questions to the sandbox, which has other things to do."""
RATE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLine:
    """One feed, as it is now."""

    feed: str
    written: int
    """Net changes that upstream wrote."""
    counts: Mapping[str, int]
    """Messages by kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All that a watcher sees, at one moment."""

    seconds: float
    scene: str
    says: str
    feeds: tuple[FeedLine, ...]
    rate: float
    """Messages accepted a second, of late."""
    queued: int
    waiting: int
    """Messages that are not final yet, known to the pipeline or not."""
    circuits: Mapping[str, str]
    holds: Mapping[str, str]
    received: int
    """Different message ids at the sandbox."""
    repeats: int
    answers: Mapping[str, int]
    """Requests by status, as the sandbox counts them."""
    said: tuple[str, ...]
    """What each job logged last."""


@dataclass(slots=True)
class Stage:
    """Everything that the show reads and directs. One thread, one clock."""

    shop: Shop
    feeds: Mapping[str, Feed]
    sandbox: RunningSandbox
    children: tuple[Child, ...]
    outcomes: OutcomesReader
    logs: tuple[LogReader, ...]
    ledger: Ledger = field(default_factory=Ledger)
    written: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Net changes by feed and operation."""
    scene: str = ""
    says: str = ""
    began: float = field(default_factory=time.monotonic)
    counts: dict[str, Any] = field(default_factory=dict)
    asked_at: float = 0.0
    history: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=200))

    def note(self, one: Written) -> None:
        """Upstream wrote something."""
        self.written[one.table, one.operation] += one.changes

    @property
    def expected(self) -> int:
        """Messages that everything written so far becomes."""
        return sum(
            changes * self._feed_messages(table, operation)
            for (table, operation), changes in self.written.items()
        )

    def _feed_messages(self, table: str, operation: str) -> int:
        feed = self.feeds[table]
        match operation:
            case "insert" | "update" | "delete":
                return feed.messages(operation)
            case _:
                raise ValueError(operation)

    @property
    def settled(self) -> bool:
        """Whether each message of everything written so far is final."""
        return self.ledger.final >= self.expected and self.ledger.count(QUEUED) == 0

    def struck(self) -> int:
        """Requests that the failures made fail which the sandbox has now."""
        return sum(int(one["struck"]) for one in self.sandbox.client.failures())

    def look(self) -> Picture:
        """Read what is new, and make a picture of it.

        Raises:
            ChildError: a job has ended.
        """
        for child in self.children:
            child.check()
        self.outcomes.read_into(self.ledger)
        for log in self.logs:
            log.read()
        now = time.monotonic()
        if now - self.asked_at >= ASK_SECONDS:
            self.counts, self.asked_at = self.sandbox.client.counts(), now
        self.history.append((now, self.ledger.count(ACCEPTED)))
        return self._picture(now)

    def _picture(self, now: float) -> Picture:
        return Picture(
            seconds=now - self.began,
            scene=self.scene,
            says=self.says,
            feeds=tuple(
                FeedLine(
                    feed=feed,
                    written=sum(n for (table, _), n in self.written.items() if table == feed),
                    counts={k: n for (f, k), n in self.ledger.counts.items() if f == feed},
                )
                for feed in FEEDS
            ),
            rate=self._rate(now),
            queued=self.ledger.count(QUEUED),
            waiting=max(self.expected - self.ledger.final, 0),
            circuits=dict(self.ledger.circuits),
            holds={who: why for log in self.logs for who, why in log.holds.items()},
            received=int(self.counts.get("applied_message_ids", 0)),
            repeats=int(self.counts.get("applied_repeats", 0)),
            answers=self.counts.get("requests", {}),
            said=tuple(log.said for log in self.logs if log.said),
        )

    def _rate(self, now: float) -> float:
        late = [(at, n) for at, n in self.history if now - at <= RATE_SECONDS]
        (first, before), (last, after) = late[0], late[-1]
        return (after - before) / (last - first) if last > first else 0.0


def make_stage(
    shop: Shop,
    feeds: Mapping[str, Feed],
    sandbox: RunningSandbox,
    children: tuple[Child, ...],
    tables: Path,
) -> Stage:
    """A stage on which nothing has happened yet."""
    return Stage(
        shop=shop,
        feeds=feeds,
        sandbox=sandbox,
        children=children,
        outcomes=OutcomesReader(tables / "outcomes"),
        logs=tuple(LogReader(child.log) for child in children),
    )
