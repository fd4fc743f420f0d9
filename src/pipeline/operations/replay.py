"""Replay dead letters: as they were sealed, or made anew from the source with today's feed.

Nothing is appended to `outcomes` here. A replay is a wish for each message; drain, which holds the
lease, judges it again and queues it. A message that is made anew travels encrypted in its wish.
"""

import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.cipher import NONCE_BYTES, encrypt
from pipeline.core.feed import Feed, FeedError
from pipeline.core.sealed import Verdict
from pipeline.keys import Secrets
from pipeline.operations.ask import ask
from pipeline.operations.selection import Choice, checked_feed, select
from pipeline.operations.trial import Trial, tried
from pipeline.settings import Settings
from pipeline.source.checked import CheckedFeed
from pipeline.source.net import net
from pipeline.source.start import snapshot_changes
from pipeline.tables import books, outcomes
from pipeline.tables.commands import Rebuilt
from pipeline.tables.layout import Layout, layout
from pipeline.tables.views import make_session_views

REMAPPED: Final = ("map", "validate", "size")
"""Stages at which the sealed bytes, where there are any, would only fail again."""
CHUNK: Final = 1_000
"""Messages that are asked for in one commit: what an interrupted replay has asked for stays so."""
Remap = Literal["failed", "all", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which dead letters of one feed; what is not given does not matter."""

    feed: str
    first: int | None = None
    last: int | None = None
    since: datetime | None = None
    """Dead at this moment or later."""
    until: datetime | None = None
    entity_hash: bytes | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """One dead letter."""

    message_id: str
    source_version: int
    stage: str | None
    entity_hash: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What can be asked for, of one source version, and why the rest can not."""

    messages: tuple[str, ...]
    rebuilt: Mapping[str, Rebuilt]
    left: Mapping[str, int]
    """Messages that are not replayed, by reason in words."""


@dataclass(slots=True)
class Pace:
    """At most so many messages a second, over the whole of a replay."""

    rate: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    free_at: float | None = None
    """When the next messages may be asked for."""

    def wait(self, messages: int) -> None:
        """Wait until *messages* more may be asked for."""
        now = self.clock()
        free_at = now if self.free_at is None else self.free_at
        if free_at > now:
            self.sleep(free_at - now)
        self.free_at = max(free_at, now) + messages / self.rate


def find(spark: SparkSession, settings: Settings, wanted: Wanted) -> list[Dead]:
    """The dead letters that are meant, in the order of their source versions."""
    make_session_views(spark, layout(settings))
    rows = spark.table("dead_letters").where(F.col("feed") == wanted.feed)
    if wanted.first is not None:
        rows = rows.where(F.col("source_version") >= wanted.first)
    if wanted.last is not None:
        rows = rows.where(F.col("source_version") <= wanted.last)
    if wanted.since is not None:
        rows = rows.where(F.col("recorded_at") >= F.lit(wanted.since))
    if wanted.until is not None:
        rows = rows.where(F.col("recorded_at") < F.lit(wanted.until))
    if wanted.entity_hash is not None:
        rows = rows.where(F.col("entity_hash") == F.lit(bytearray(wanted.entity_hash)))
    if wanted.reason is not None:
        rows = rows.where(F.col("reason") == wanted.reason)
    found = rows.select("message_id", "source_version", "stage", "entity_hash")
    return [
        Dead(
            message_id=row["message_id"],
            source_version=row["source_version"],
            stage=row["stage"],
            entity_hash=None if row["entity_hash"] is None else bytes(row["entity_hash"]),
        )
        for row in found.orderBy("source_version", "message_id").collect()
    ]


def prepare(
    spark: SparkSession,
    settings: Settings,
    feed: Feed,
    dead: Sequence[Dead],
    secrets: Secrets,
    *,
    remap: Remap,
    stale: bool,
) -> Iterator[Ready]:
    """What can be replayed, one source version after the other.

    Raises:
        FeedError: the feed does not fit its table any more.
    """
    by_version: defaultdict[int, list[Dead]] = defaultdict(list)
    for one in dead:
        by_version[one.source_version].append(one)
    makes_anew = any(_remaps(one, remap) for one in dead)
    checked = checked_feed(spark, settings, feed) if makes_anew else None
    for version in sorted(by_version):
        yield _of_version(
            spark,
            settings,
            feed,
            checked,
            version,
            by_version[version],
            secrets,
            remap,
            stale=stale,
        )


def request(
    spark: SparkSession,
    settings: Settings,
    feed: str,
    ready: Ready,
    *,
    number: str,
    stale: bool,
    pace: Pace,
) -> Iterator[int]:
    """Ask for what is ready, a thousand at a time, audited; how many each time.

    No faster than *pace*: drain sends what it was asked for, beside what was put off and is due.
    """
    size = max(1, min(CHUNK, int(pace.rate)))
    for start in range(0, len(ready.messages), size):
        some = ready.messages[start : start + size]
        pace.wait(len(some))
        ask(
            spark,
            settings,
            "replay",
            [(message_id, feed) for message_id in some],
            argument={"request": number, "stale": stale},
            rebuilt={one: ready.rebuilt[one] for one in some if one in ready.rebuilt},
        )
        yield len(some)


def _remaps(one: Dead, remap: Remap) -> bool:
    return remap == "all" or (remap == "failed" and one.stage in REMAPPED)


def _of_version(  # noqa: PLR0913  all of it decides
    spark: SparkSession,
    settings: Settings,
    feed: Feed,
    checked: CheckedFeed | None,
    version: int,
    dead: Sequence[Dead],
    secrets: Secrets,
    remap: Remap,
    *,
    stale: bool,
) -> Ready:
    where = layout(settings)
    anew = {one.message_id for one in dead if _remaps(one, remap)}
    left: Counter[str] = Counter()
    rebuilt: dict[str, Rebuilt] = {}
    if checked is not None and anew:
        try:
            netted = _netted(spark, where, checked, version, settings.delivery.tasks)
            trial = tried(netted, checked, settings, secrets.hashing_key)
        except FeedError as error:
            left[str(error).removeprefix(f"{checked.feed.file}: ")] += len(anew)
        else:
            rebuilt, reasons = _rebuilt(trial, anew, secrets)
            left.update(reasons)
    unmade = [one for one in dead if one.message_id not in anew and one.stage == "map"]
    if unmade:
        left["its call was never made: --remap"] += len(unmade)
    sealed = [one for one in dead if one.message_id not in anew and one.stage != "map"]
    able = [one for one in dead if one.message_id in rebuilt] + sealed
    if able and not stale:
        over = outcomes.overtaken(spark, where, _frame(spark, feed.name, able, rebuilt))
        if over:
            left["a later change of its person or object was accepted (see --stale)"] += len(over)
        able = [one for one in able if one.message_id not in over]
    ids = tuple(one.message_id for one in able)
    return Ready(
        messages=ids, rebuilt={one: rebuilt[one] for one in ids if one in rebuilt}, left=left
    )


def _netted(
    spark: SparkSession, where: Layout, checked: CheckedFeed, version: int, partitions: int
) -> DataFrame:
    """The net changes of a version as `deliver` read them: some came from a snapshot."""
    entries = books.read_books(spark, where, checked.feed.name, version, version)
    if (version, books.SNAPSHOT) in entries:
        rows = snapshot_changes(spark, checked.table, version)
        return net(rows, checked.feed, partitions=partitions)
    return select(spark, checked, Choice(first=version, last=version), partitions).netted


def _rebuilt(
    trial: Trial, wanted: set[str], secrets: Secrets
) -> tuple[dict[str, Rebuilt], Counter[str]]:
    """The calls of *wanted* made anew and encrypted, and why others are not."""
    sealed, found = trial.sealed, {}
    reasons: Counter[str] = Counter()
    seen: set[str] = set()
    for place in range(len(sealed)):
        message_id = sealed.ids[place].tobytes().decode()
        if message_id not in wanted:
            continue
        seen.add(message_id)
        verdict = Verdict(int(sealed.verdict[place]))
        if verdict != Verdict.PENDING:
            _, reason, detail = sealed.words.get(place, ("", "", None))
            what = "would be refused again" if verdict == Verdict.DEAD else "would be skipped"
            reasons[f"{what}: {' '.join(word for word in (reason, detail) if word)}"] += 1
            continue
        call = sealed.bodies[place].as_py().removesuffix(b",")
        envelope = sealed.envelope_at(place)
        nonce = os.urandom(NONCE_BYTES)
        found[message_id] = Rebuilt(
            payload=encrypt(secrets.payload_keys, message_id, envelope, call, nonce),
            payload_key_id=secrets.payload_keys.current,
            entity_hash=sealed.entities[place] or None,
            call_type=sealed.call_type[place].as_py(),
            event=sealed.event[place].as_py(),
        )
    if missing := len(wanted - seen):
        reasons["its change is not in the source any more, or its feed makes fewer calls"] += (
            missing
        )
    return found, reasons


def _frame(
    spark: SparkSession, feed: str, able: Sequence[Dead], rebuilt: Mapping[str, Rebuilt]
) -> DataFrame:
    """What the guard asks about: a message that is made anew may be about somebody else."""
    rows = [
        (
            one.message_id,
            feed,
            rebuilt[one.message_id].entity_hash if one.message_id in rebuilt else one.entity_hash,
            one.source_version,
        )
        for one in able
    ]
    columns = "message_id string, feed string, entity_hash binary, source_version bigint"
    return spark.createDataFrame(rows, columns)
