"""What would be sent for chosen changes of a feed, and what it would cost. Nothing is sent."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from pyspark.sql import SparkSession

from pipeline.core.feed import Feed
from pipeline.core.rate import ceiling
from pipeline.core.sealed import Verdict
from pipeline.keys import KeysError, load_keys
from pipeline.operations.selection import Choice, checked_feed, select
from pipeline.operations.trial import EXAMPLE_KEY, ROW, Trial, tried
from pipeline.settings import Settings
from pipeline.source.view import KEY, OPERATION

NAMES: Final = {
    Verdict.PENDING: "sent",
    Verdict.DEAD: "dead",
    Verdict.SKIPPED: "skipped",
}
SAMPLES: Final = 3
"""Row keys that are named for each reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Messages that would end the same way."""

    kind: str
    """sent, skipped, dead"""
    stage: str | None
    reason: str | None
    detail: str | None
    messages: int
    keys: tuple[str, ...]
    """Row keys of a few of them; what is sent is shown beside its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One message beside its row."""

    source_version: int
    operation: str
    kind: str
    message_id: str
    stage: str | None
    reason: str | None
    detail: str | None
    row: Any
    call: Any
    """The call as JSON would carry it; null where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What `deliver` would do with the changes that were chosen."""

    feed: str
    table: str
    chosen: str
    total: int
    """Net changes that the choice means."""
    changes: int
    """Net changes that were mapped: all, or a sample."""
    messages: int
    requests: int
    bytes: int
    largest_call: int
    call_bytes: int
    """The limit of a call."""
    rate: float
    """Requests a second that one feed of `deliver` may send, on these settings."""
    tallies: tuple[Tally, ...]
    holds: str | None
    """Why `deliver` would hold instead of going on."""
    ids_are_examples: bool
    """The pipeline's keys were not at hand, so real ids differ."""
    shown: tuple[Shown, ...]

    @property
    def sent(self) -> int:
        """Messages that would be sent."""
        return sum(one.messages for one in self.tallies if one.kind == "sent")

    @property
    def seconds(self) -> float:
        """The least that the rate limit makes of these requests."""
        return self.requests / self.rate

    def whole(self, figure: float) -> float:
        """*figure* of the sample, scaled to all changes that were chosen."""
        return figure * self.total / self.changes if self.changes else 0.0


def preview(
    spark: SparkSession, settings: Settings, feed: Feed, choice: Choice, *, show: int
) -> Preview:
    """Map, check, seal and pack what *choice* means; *show* messages are kept beside their rows.

    Raises:
        FeedError: the feed does not fit its table, or the choice is none.
    """
    checked = checked_feed(spark, settings, feed)
    selected = select(spark, checked, choice, settings.delivery.tasks)
    hashing_key, example = hashing_key_of(settings)
    trial = tried(selected.netted, checked, settings, hashing_key)
    return Preview(
        feed=feed.name,
        table=checked.table.path or str(checked.table.name),
        chosen=selected.words,
        total=selected.total,
        changes=selected.taken,
        messages=len(trial.sealed),
        requests=trial.cost.requests,
        bytes=trial.cost.bytes,
        largest_call=trial.cost.largest_call,
        call_bytes=settings.limits.call_bytes,
        rate=ceiling(settings.rate, "deliver", 1),
        tallies=_tallies(trial),
        holds=trial.task.hold,
        ids_are_examples=example,
        shown=tuple(_shown(trial, place) for place in _places(trial, show)),
    )


def hashing_key_of(settings: Settings) -> tuple[bytes, bool]:
    """The key that ids are made with, and whether it is only an example."""
    try:
        return load_keys(settings.keys).hashing_key, False
    except KeysError:
        return EXAMPLE_KEY, True


def _tallies(trial: Trial) -> tuple[Tally, ...]:
    """By what mapping and sealing said; a hold unsends all, and is told beside."""
    keys = trial.beside[KEY].to_pylist()
    counts: Counter[tuple[Any, ...]] = Counter()
    samples: defaultdict[tuple[Any, ...], list[str]] = defaultdict(list)
    for place, verdict in enumerate(trial.sealed.verdict.tolist()):
        group = (NAMES[Verdict(verdict)], *trial.words(place))
        counts[group] += 1
        if group[0] != NAMES[Verdict.PENDING] and len(samples[group]) < SAMPLES:
            samples[group].append(keys[place])
    return tuple(
        Tally(
            kind=group[0],
            stage=group[1],
            reason=group[2],
            detail=group[3],
            messages=count,
            keys=tuple(dict.fromkeys(samples[group])),
        )
        for group, count in sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    )


def _places(trial: Trial, show: int) -> list[int]:
    """Some of each kind of end, refused ones first: they are what one looks for."""
    verdict = trial.sealed.verdict
    found: list[int] = []
    kinds = (Verdict.DEAD, Verdict.PENDING, Verdict.SKIPPED)
    for left, kind in zip(range(len(kinds), 0, -1), kinds, strict=True):
        fair = -(-(show - len(found)) // left)
        found += np.flatnonzero(verdict == kind)[:fair].tolist()
    if len(found) < show:
        rest = np.setdiff1d(np.arange(len(verdict)), found)
        found += rest[: show - len(found)].tolist()
    return sorted(found[:show])


def _shown(trial: Trial, place: int) -> Shown:
    stage, reason, detail = trial.words(place)
    return Shown(
        source_version=trial.sealed.source_version[place].as_py(),
        operation=trial.beside[OPERATION][place].as_py(),
        kind=NAMES[Verdict(int(trial.sealed.verdict[place]))],
        message_id=trial.sealed.ids[place].tobytes().decode(),
        stage=stage,
        reason=reason,
        detail=detail,
        row=json.loads(trial.beside[ROW][place].as_py()),
        call=trial.call(place),
    )


def as_json(found: Preview) -> Mapping[str, Any]:
    """The preview as plain values."""
    return {
        **asdict(found),
        "sent": found.sent,
        "seconds_at_least": round(found.seconds, 3),
        "whole": {
            "requests": round(found.whole(found.requests)),
            "bytes": round(found.whole(found.bytes)),
            "seconds_at_least": round(found.whole(found.seconds), 3),
        },
    }
