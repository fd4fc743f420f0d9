"""Consent that is withdrawn while messages wait: they are skipped, not sent.

`deliver` records a change without consent as skipped. What of the same feed and entity was queued
before it must not go out later. Judged before the queue's commit moves past those rows, so that a
kill repeats it; a message that was queued after consent was given again stays.
"""

from datetime import UTC, datetime

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from pipeline.core.draft import NO_CONSENT
from pipeline.core.fold import fold
from pipeline.core.records import OUTCOMES
from pipeline.log import logger
from pipeline.streams.claim import Claim
from pipeline.streams.runtime import Runtime
from pipeline.tables import outcomes, retry_queue
from pipeline.tables.rows import frame

WITHDRAWN = "consent_withdrawn"


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
    later = outcomes.as_fold_rows(outcomes.message_rows(spark, where, after, upto).toArrow())
    waiting = fold(retry_queue.as_waiting(retry_queue.pinned(spark, where).waiting), later)
    of_whom = {hash_ for _, hash_ in withdrawn}
    ids = [one.message_id for one in waiting.values() if one.entity_hash in of_whom]
    if not ids:
        return 0
    found = outcomes.newest(spark, where, ids).where(F.col("kind") == "queued")
    feeds = {row["message_id"]: row["feed"] for row in found.select("message_id", "feed").collect()}
    struck = [
        one.message_id
        for one in waiting.values()
        if (feed := feeds.get(one.message_id)) is not None
        and (at := withdrawn.get((feed, one.entity_hash))) is not None
        and (one.queued_version, one.position) < at
    ]
    if not struck:
        return 0
    number = claim.next_number()
    changed: dict[str, Column] = {
        "kind": F.lit("skipped"),
        "stage": F.lit("command"),
        "reason": F.lit(WITHDRAWN),
        **{name: F.lit(None) for name in ("next_attempt_at", "payload", "payload_key_id")},
    }
    skipped = found.where(F.col("message_id").isin(struck))
    kept = outcomes.following(skipped, number, datetime.now(UTC), changed).toArrow()
    outcomes.append(where, frame(spark, OUTCOMES, kept), claim.held.app, number)
    logger(job="drain").info("consent.withdrawn", skipped=len(struck))
    return len(struck)
