"""Consent that is withdrawn while messages wait: they are skipped, not sent.

`deliver` records a change without consent as skipped. What of the same feed and entity was queued
before it must not go out later. A feed with a consent table may get no change at all when consent
is withdrawn, so what waits of it is held against that table.

Judged before the queue's commit moves past those rows, so that a kill repeats it; a message that
was queued after consent was given again stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pyspark.sql import Column, Row, SparkSession
from pyspark.sql import functions as F

from pipeline.core.draft import NO_CONSENT
from pipeline.core.feed import Feed, FeedError
from pipeline.core.feed_calls import OBJECT_DELETED, USER_DELETED, USER_SUPPRESSED
from pipeline.core.feed_model import ConsentTable
from pipeline.core.fold import Waiting, fold
from pipeline.core.records import OUTCOMES
from pipeline.log import logger
from pipeline.settings import Settings
from pipeline.source.consents import consent_place, consenting
from pipeline.source.feed_files import load_feeds
from pipeline.source.locate import SourceTable
from pipeline.source.readable import current_version
from pipeline.streams.claim import Claim
from pipeline.streams.runtime import Runtime
from pipeline.tables import outcomes, retry_queue
from pipeline.tables.layout import Layout
from pipeline.tables.rows import frame

WITHDRAWN: Final = "consent_withdrawn"
TAKES_AWAY: Final = (USER_DELETED, USER_SUPPRESSED, OBJECT_DELETED)


def withdraw(spark: SparkSession, runtime: Runtime, claim: Claim, after: int) -> int:
    """Skip what waits although consent was withdrawn after commit *after* of outcomes; how many."""
    where = runtime.where
    upto = outcomes.version(spark, where)
    rows = (
        outcomes.inserted(spark, where, after, upto)
        .where((F.col("kind") == "skipped") & (F.col("reason") == NO_CONSENT))
        .where(F.col("entity_hash").isNotNull())
        .groupBy("feed", "entity_hash")
        .agg(F.max(F.struct("_commit_version", "position")).alias("at"))
        .collect()
    )
    withdrawn = {(r["feed"], bytes(r["entity_hash"])): (r["at"][0], r["at"][1]) for r in rows}
    if not withdrawn:
        return 0
    waiting = _waiting(spark, where, after, upto)
    of_whom = {hash_ for _, hash_ in withdrawn}
    ids = [one.message_id for one in waiting.values() if one.entity_hash in of_whom]
    if not ids:
        return 0
    queued = _queued(spark, where, ids)
    struck = [
        one["message_id"]
        for one in queued
        if (at := withdrawn.get((one["feed"], waiting[one["message_id"]].entity_hash))) is not None
        and (waiting[one["message_id"]].queued_version, waiting[one["message_id"]].position) < at
    ]
    return _strike(spark, runtime, claim, struck)


@dataclass(slots=True)
class Consents:
    """Which feeds ask for consent, and which messages drain held against their tables."""

    judged: dict[str, int] = field(default_factory=dict)
    """By feed with messages that wait: the version of its consent table that was read last."""
    known: frozenset[str] = frozenset()
    """Messages that were judged by those versions, or are of feeds that have none."""
    _files: tuple[tuple[str, int, int], ...] | None = None
    _feeds: tuple[Feed, ...] | None = None

    def asked(self, settings: Settings) -> bool:
        """Whether a feed asks for consent, by its file as it is now; yes where that's unknown."""
        folder = Path(settings.sources.feeds)
        found = [(file, file.stat()) for file in sorted(folder.glob("*.y*ml"))]
        files = tuple((str(file), at.st_mtime_ns, at.st_size) for file, at in found)
        if files != self._files:
            self._files = files
            self.judged, self.known = {}, frozenset()  # by other rules, or other tables
            try:
                self._feeds = load_feeds(folder)
            except FeedError as error:
                problems = len(str(error).splitlines())
                logger(job="drain").warning("consent.feeds_not_read", problems=problems)
        return self._feeds is None or any(one.consent is not None for one in self._feeds)

    def withhold(self, spark: SparkSession, runtime: Runtime, claim: Claim, after: int) -> int:
        """Skip what waits of whoever does not consent now, though they did; how many.

        Tables are read only when they have changed, or messages wait that were not judged by
        them; and so is what outcomes say of what waits.
        """
        feeds = [one for one in self._feeds or () if isinstance(one.consent, ConsentTable)]
        if not feeds:
            return 0
        where = runtime.where
        waiting = _waiting(spark, where, after, outcomes.version(spark, where))
        if not waiting:
            return 0
        asked = [one for one in feeds if one.name in self.judged]
        if waiting.keys() <= self.known and all(
            self.judged[one.name] == current_version(spark, _table(one, runtime)) for one in asked
        ):
            return 0
        queued = _queued(spark, where, sorted(waiting))
        struck: list[str] = []
        judged: dict[str, int] = {}
        for feed in feeds:
            of_feed = {
                one["message_id"]: waiting[one["message_id"]].entity_hash
                for one in queued
                if one["feed"] == feed.name and waiting[one["message_id"]].entity_hash
            }
            if of_feed:
                judged[feed.name], withdrawn = self._withdrawn(spark, runtime, feed, of_feed)
                struck += withdrawn
        done = _strike(spark, runtime, claim, struck)
        # Last: what could not be struck is to be judged again.
        self.judged, self.known = judged, frozenset(one["message_id"] for one in queued)
        return done

    def _withdrawn(
        self, spark: SparkSession, runtime: Runtime, feed: Feed, waiting: dict[str, bytes]
    ) -> tuple[int, list[str]]:
        """The version of the consent table, and messages of whoever does not consent in it."""
        table = _table(feed, runtime)
        version = current_version(spark, table)
        if self.judged.get(feed.name) == version and waiting.keys() <= self.known:
            return version, []
        hashes = frozenset(waiting.values())
        allowed = consenting(spark, feed, table, hashes, runtime.keys().hashing_key)
        return version, [one for one, hash_ in waiting.items() if hash_ not in allowed]


def _table(feed: Feed, runtime: Runtime) -> SourceTable:
    table = consent_place(feed, runtime.settings.sources.root)
    assert table is not None  # noqa: S101  only such feeds are asked
    return table


def _waiting(spark: SparkSession, where: Layout, after: int, upto: int) -> dict[str, Waiting]:
    """The queue as it will be once the outcomes up to a commit are taken in."""
    later = outcomes.as_fold_rows(outcomes.message_rows(spark, where, after, upto).toArrow())
    return fold(retry_queue.as_waiting(retry_queue.pinned(spark, where).waiting), later)


def _queued(spark: SparkSession, where: Layout, ids: Sequence[str]) -> list[Row]:
    """Feed and id of those that wait; without calls that take away, which need no consent."""
    event = F.coalesce(F.col("event"), F.lit(""))
    found = outcomes.newest(spark, where, ids, waited=True).where(F.col("kind") == "queued")
    return found.where(~event.isin(*TAKES_AWAY)).select("message_id", "feed").collect()


def _strike(spark: SparkSession, runtime: Runtime, claim: Claim, struck: Sequence[str]) -> int:
    """Record messages that wait as skipped."""
    if not struck:
        return 0
    where = runtime.where
    number = claim.next_number()
    changed: dict[str, Column] = {
        "kind": F.lit("skipped"),
        "stage": F.lit("command"),
        "reason": F.lit(WITHDRAWN),
        **{name: F.lit(None) for name in ("next_attempt_at", "payload", "payload_key_id")},
    }
    skipped = outcomes.newest(spark, where, struck, waited=True).where(F.col("kind") == "queued")
    kept = outcomes.following(skipped, number, datetime.now(UTC), changed).toArrow()
    outcomes.append(where, frame(spark, OUTCOMES, kept), claim.held.app, number)
    logger(job="drain").info("consent.withdrawn", skipped=len(struck))
    return len(struck)
