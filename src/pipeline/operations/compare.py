"""What a changed feed would send differently for the same changes, before it is deployed."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, Literal

from pyspark.sql import SparkSession

from pipeline.core.feed import Feed
from pipeline.core.sealed import Verdict
from pipeline.operations.preview import NAMES, hashing_key_of
from pipeline.operations.selection import Choice, checked_feed, select
from pipeline.operations.trial import Trial, tried
from pipeline.settings import Settings
from pipeline.source.readable import current_version
from pipeline.source.view import KEY

How = Literal["same", "differs", "only_before", "only_now", "other_end"]
SHOWN_FIRST: Final[tuple[How, ...]] = ("other_end", "only_before", "only_now", "differs")


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What becomes of one message."""

    kind: str
    """sent, skipped, dead"""
    why: str
    key: str
    call: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One message that the two feeds treat otherwise."""

    how: How
    message_id: str
    key: str
    before: End | None
    now: End | None
    fields: tuple[str, ...]
    """Dotted names of what differs in the call, where both have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two feeds over the same changes."""

    feed: str
    chosen: str
    changes: int
    counts: dict[str, int]
    """Messages by `How`."""
    fields: dict[str, int]
    """In how many calls a field differs."""
    renamed: str | None
    """The old name, where the feed has another now: then every message is a new one."""
    differences: tuple[Difference, ...]

    @property
    def differs(self) -> bool:
        """Whether anything would be sent differently."""
        return any(count for how, count in self.counts.items() if how != "same")


def compare(
    spark: SparkSession, settings: Settings, before: Feed, now: Feed, choice: Choice, *, show: int
) -> Comparison:
    """Map the same changes with both feeds, and hold the messages together by their ids.

    Raises:
        FeedError: one of them does not fit its table, or the choice is none.
    """
    ends, words, changes = [], "", 0
    key, _ = hashing_key_of(settings)
    for feed in (before, now):
        # Under one name, so that a renamed feed's messages can still be held together.
        named = feed.model_copy(update={"name": now.name})
        checked = checked_feed(spark, settings, named)
        selected = select(spark, checked, choice, settings.delivery.tasks)
        trial = tried(selected.netted, checked, settings, key)
        ends.append(_ends(trial))
        words, changes = selected.words, max(changes, selected.taken)
    found = [_difference(one, ends[0].get(one), ends[1].get(one)) for one in ends[0] | ends[1]]
    order = {how: place for place, how in enumerate(SHOWN_FIRST)}
    differing = sorted(
        (one for one in found if one.how != "same"),
        key=lambda one: (order[one.how], one.message_id),
    )
    return Comparison(
        feed=now.name,
        chosen=words,
        changes=changes,
        counts=dict(Counter(one.how for one in found)),
        fields=dict(Counter(field for one in differing for field in one.fields).most_common()),
        renamed=before.name if before.name != now.name else None,
        differences=tuple(differing[:show]),
    )


def last_versions(spark: SparkSession, settings: Settings, feed: Feed, count: int) -> Choice:
    """The newest *count* commits of the feed's table."""
    checked = checked_feed(spark, settings, feed)
    current = current_version(spark, checked.table)
    return Choice(first=max(current - count + 1, 0), last=current)


def _ends(trial: Trial) -> dict[str, End]:
    ends = {}
    for place, key in enumerate(trial.beside[KEY].to_pylist()):
        stage, reason, detail = trial.words(place)
        if stage == "size":  # its detail is a count of bytes: another one is no other end
            detail = None
        ends[trial.sealed.ids[place].tobytes().decode()] = End(
            kind=NAMES[Verdict(int(trial.sealed.verdict[place]))],
            why=" ".join(word for word in (stage, reason, detail) if word),
            key=key,
            call=trial.call(place),
        )
    return ends


def _difference(message_id: str, before: End | None, now: End | None) -> Difference:
    how: How
    fields: tuple[str, ...] = ()
    if before is None or now is None:
        how = "only_now" if before is None else "only_before"
    elif before.kind != now.kind or before.why != now.why:
        how = "other_end"
    else:
        sent = now.kind == "sent"
        fields = tuple(differing_fields(before.call, now.call)) if sent else ()
        how = "differs" if fields else "same"
    one = before or now
    return Difference(
        how=how,
        message_id=message_id,
        key=one.key if one is not None else "",
        before=before,
        now=now,
        fields=fields,
    )


def differing_fields(before: Any, now: Any, path: str = "") -> list[str]:
    """Dotted names under which two JSON values differ; true and 1 are not the same."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            field
            for name in sorted(before.keys() | now.keys())
            for field in (
                differing_fields(before[name], now[name], f"{path}.{name}" if path else name)
                if name in before and name in now
                else [f"{path}.{name}" if path else name]
            )
        ]
    same = json.dumps(before, sort_keys=True) == json.dumps(now, sort_keys=True)
    return [] if same else [path or "the call"]
