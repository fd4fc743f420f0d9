"""What is worth waking somebody for: the alerts, when they fire, and when that changes.

Pure: figures in, findings out. `docs/runbook.md` has a section for each alert, under its name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from pipeline.core.age import age_text
from pipeline.core.expected import Expected, expected, silence_after

Severity = Literal["info", "warning", "critical"]
RUNBOOK: Final = "docs/runbook.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where on figures are alarming."""

    hold: timedelta = timedelta(minutes=1)
    """A shorter hold is over before anybody has read of it."""
    queue_age: timedelta = timedelta(minutes=15)
    freshness: timedelta = timedelta(minutes=15)
    dead_share: float = 0.05
    dead_count: int = 10
    failed_share: float = 0.2
    failed_count: int = 5
    slow: timedelta = timedelta(seconds=5)
    books: timedelta = timedelta(minutes=30)
    """A message that was booked so long ago and has no outcome is missing, not under way."""
    stuck: timedelta = timedelta(minutes=5)
    clock: timedelta = timedelta(seconds=30)


ALERTS: Final[Mapping[str, Severity]] = {
    "hold": "critical",
    "queue.old": "warning",
    "queue.stuck": "critical",
    "dead.many": "warning",
    "api.failing": "warning",
    "api.slow": "warning",
    "freshness.old": "warning",
    "books.open": "critical",
    "deliver.stuck": "critical",
    "drain.stuck": "critical",
    "source.silent": "critical",
    "changes.unusual": "warning",
    "deletes.unusual": "warning",
    "queue.unusual": "warning",
    "dead.unusual": "warning",
    "api.unusual": "warning",
    "latency.unusual": "warning",
    "freshness.unusual": "warning",
    "clock.skewed": "warning",
    "tables.unwritable": "critical",
}
"""Alerts that fire and recover, with their severity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFigures:
    """One feed's figures of the last quarter of an hour, where nothing else is said."""

    feed: str
    waiting: int = 0
    oldest_seconds: float | None = None
    due_seconds: float | None = None
    """For how long the message that has been due for longest is due."""
    accepted: int = 0
    dead: int = 0
    requests: int = 0
    failed: int = 0
    slow_ms: float | None = None
    """95th percentile of the requests' time."""
    freshness_seconds: float | None = None
    """95th percentile from commit to accepted, snapshots aside."""
    earliest_seconds: float | None = None
    """Least time from commit to accepted: below nought where clocks differ."""
    missing: int = 0
    """Messages booked for longer than `Limits.books` and without an outcome."""
    unread_seconds: float | None = None
    """For how long the source has had a commit that was not read."""
    changes_hour: float | None = None
    """Changes read in the last 60 minutes."""
    deletes_hour: float | None = None
    quiet_seconds: float | None = None
    """Since the last change was read."""
    history: Mapping[datetime, float] = field(default_factory=dict)
    """Changes by the hour that they were read in."""
    deletes: Mapping[datetime, float] = field(default_factory=dict)
    retention_used: float | None = None
    """Share of the source's retention that what was not read has used up; 0: all was read."""
    retention_left_seconds: float | None = None
    """Until the source may drop what was not read."""
    levels: Mapping[str, Mapping[datetime, float]] = field(default_factory=dict)
    """By metric of `core.levels`: the worst of each hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldFigures:
    """A hold that has not ended."""

    feed: str | None
    reason: str
    seconds: float
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An alert that fires now."""

    alert: str
    feed: str | None
    metric: str
    value: float
    expected: str
    detail: str
    """In words; nothing personal."""
    reason: str | None = None
    """Of a hold: it has a section of its own."""

    @property
    def severity(self) -> Severity:
        """How bad that is."""
        return ALERTS[self.alert]

    @property
    def name(self) -> str:
        """The alert's name; a hold's ends with its reason."""
        return f"{self.alert}.{self.reason}" if self.reason else self.alert

    @property
    def runbook(self) -> str:
        """Where to read what to do."""
        return f"{RUNBOOK}#{anchor(self.name)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An alert began to fire, or recovered."""

    name: str
    feed: str | None
    finding: Finding | None
    """None: it recovered."""


def anchor(name: str) -> str:
    """The anchor of a section whose title is *name*, as Markdown makes it."""
    return "".join(c for c in name.lower() if c.isalnum() or c in "_- ").replace(" ", "-")


def judge(
    feeds: Iterable[FeedFigures], holds: Iterable[HoldFigures], limits: Limits, now: datetime
) -> tuple[Finding, ...]:
    """Every alert that fires."""
    held = tuple(holds)
    holding = {one.feed for one in held}
    found = [_hold(one) for one in held if one.seconds >= limits.hold.total_seconds()]
    for feed in feeds:
        found += _queue(feed, limits, holding)
        found += _destination(feed, limits)
        found += _data(feed, limits, holding)
        found += _time(feed, limits, holding)
        found += _usual(feed, now)
    return tuple(found)


def changes(
    firing: Iterable[tuple[str, str | None]], found: Iterable[Finding]
) -> tuple[Change, ...]:
    """What is new against the alerts that fired before, given by name and feed."""
    before, now = set(firing), {(one.name, one.feed): one for one in found}
    fired = [
        Change(name=name, feed=feed, finding=one)
        for (name, feed), one in now.items()
        if (name, feed) not in before
    ]
    gone = sorted(before - now.keys(), key=lambda key: (key[0], key[1] or ""))
    return (*fired, *(Change(name=name, feed=feed, finding=None) for name, feed in gone))


def _hold(one: HoldFigures) -> Finding:
    return Finding(
        alert="hold",
        reason=one.reason,
        feed=one.feed,
        metric="hold_seconds",
        value=one.seconds,
        expected="no hold",
        detail=f"holds for {one.reason} since {age_text(one.seconds)}: {one.detail}",
    )


def _queue(one: FeedFigures, limits: Limits, holding: set[str | None]) -> Iterable[Finding]:
    if one.oldest_seconds is not None and one.oldest_seconds > limits.queue_age.total_seconds():
        yield Finding(
            alert="queue.old",
            feed=one.feed,
            metric="oldest_seconds",
            value=one.oldest_seconds,
            expected=f"at most {age_text(limits.queue_age.total_seconds())}",
            detail=(
                f"{one.waiting:,} messages wait, the oldest since {age_text(one.oldest_seconds)}"
            ),
        )
    stuck = limits.stuck.total_seconds()
    if one.due_seconds is not None and one.due_seconds > stuck and None not in holding:
        yield Finding(
            alert="queue.stuck",
            feed=one.feed,
            metric="due_seconds",
            value=one.due_seconds,
            expected=f"sent within {age_text(stuck)} of being due",
            detail=f"messages are due since {age_text(one.due_seconds)}, and drain does not send",
        )


def _destination(one: FeedFigures, limits: Limits) -> Iterable[Finding]:
    share = one.failed / one.requests if one.requests else 0.0
    if one.failed >= limits.failed_count and share > limits.failed_share:
        yield Finding(
            alert="api.failing",
            feed=one.feed,
            metric="failed_share",
            value=share,
            expected=f"at most {limits.failed_share:.0%}",
            detail=f"{one.failed:,} of {one.requests:,} requests failed in a quarter of an hour",
        )
    slow = limits.slow.total_seconds() * 1_000
    if one.slow_ms is not None and one.slow_ms > slow:
        yield Finding(
            alert="api.slow",
            feed=one.feed,
            metric="p95_ms",
            value=one.slow_ms,
            expected=f"at most {slow:,.0f} ms",
            detail=f"1 request in 20 takes longer than {one.slow_ms:,.0f} ms",
        )


def _data(one: FeedFigures, limits: Limits, holding: set[str | None]) -> Iterable[Finding]:
    judged = one.accepted + one.dead
    share = one.dead / judged if judged else 0.0
    if one.dead >= limits.dead_count and share > limits.dead_share:
        yield Finding(
            alert="dead.many",
            feed=one.feed,
            metric="dead_share",
            value=share,
            expected=f"at most {limits.dead_share:.0%}",
            detail=f"{one.dead:,} of {judged:,} messages became dead letters",
        )
    if one.missing > 0 and one.feed not in holding:
        yield Finding(
            alert="books.open",
            feed=one.feed,
            metric="missing",
            value=one.missing,
            expected="0",
            detail=(
                f"{one.missing:,} messages were read more than "
                f"{age_text(limits.books.total_seconds())} ago and have no outcome"
            ),
        )


def _time(one: FeedFigures, limits: Limits, holding: set[str | None]) -> Iterable[Finding]:
    old = limits.freshness.total_seconds()
    if one.freshness_seconds is not None and one.freshness_seconds > old:
        yield Finding(
            alert="freshness.old",
            feed=one.feed,
            metric="freshness_p95_seconds",
            value=one.freshness_seconds,
            expected=f"at most {age_text(old)}",
            detail=f"changes arrive {age_text(one.freshness_seconds)} after their commit",
        )
    skewed = limits.clock.total_seconds()
    if one.earliest_seconds is not None and one.earliest_seconds < -skewed:
        yield Finding(
            alert="clock.skewed",
            feed=one.feed,
            metric="earliest_seconds",
            value=one.earliest_seconds,
            expected=f"at least -{skewed:.0f} s",
            detail=(
                f"changes were accepted {age_text(-one.earliest_seconds)} before their commit: a "
                "clock is wrong, or jumped"
            ),
        )
    stuck = limits.stuck.total_seconds()
    unread = one.unread_seconds
    if unread is not None and unread > stuck and one.feed not in holding:
        yield Finding(
            alert="deliver.stuck",
            feed=one.feed,
            metric="unread_seconds",
            value=unread,
            expected=f"read within {age_text(stuck)}",
            detail=f"the source has commits since {age_text(unread)} that nobody has read",
        )


def _usual(one: FeedFigures, now: datetime) -> Iterable[Finding]:
    """The figures of the last 60 minutes against the hours that they mostly lie in."""
    hour = (now - timedelta(minutes=30)).replace(minute=0, second=0, microsecond=0)
    usual = expected(one.history, hour)
    longest = silence_after(usual)
    if (
        longest is not None
        and one.quiet_seconds is not None
        and one.quiet_seconds > longest.total_seconds()
        and usual is not None
    ):
        yield Finding(
            alert="source.silent",
            feed=one.feed,
            metric="quiet_seconds",
            value=one.quiet_seconds,
            expected=f"a change within {age_text(longest.total_seconds())}",
            detail=(
                f"nothing was read since {age_text(one.quiet_seconds)}; {usual} changes an hour "
                "are usual now"
            ),
        )
    elif finding := _unusual(one, "changes.unusual", one.changes_hour, usual):
        yield finding
    deletes = expected(one.deletes, hour)
    if finding := _unusual(one, "deletes.unusual", one.deletes_hour, deletes):
        yield finding


def _unusual(
    one: FeedFigures, alert: str, value: float | None, usual: Expected | None
) -> Finding | None:
    if value is None or usual is None or value in usual:
        return None
    what = alert.partition(".")[0]
    return Finding(
        alert=alert,
        feed=one.feed,
        metric=f"{what}_an_hour",
        value=value,
        expected=str(usual),
        detail=(
            f"{value:,.0f} {what} in an hour; {usual} are usual at this time of the {usual.season}"
        ),
    )
