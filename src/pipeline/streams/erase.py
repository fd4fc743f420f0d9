"""Erase people: drain's part. See `core.erasure` for what a request is.

    request -> mark (with the queue's commit) -> cancel what waits, wait -> send -> scrub -> done

Each step is judged by what the tables say, so that a kill between any two of them repeats no more
than the step that was under way.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.erasure import ERASED, FEED, REQUESTED, STAGE, UNSUPPRESS, WAITING
from pipeline.core.records import COMMANDS, OUTCOMES, RETRY_QUEUE
from pipeline.log import logger
from pipeline.streams.claim import Claim
from pipeline.streams.runtime import Runtime
from pipeline.tables import commands, outcomes
from pipeline.tables.audit import audit
from pipeline.tables.layout import Layout, literal
from pipeline.tables.refusal import is_conflict
from pipeline.tables.retry_queue import Mark, rows_of
from pipeline.tables.rows import frame

VERBS: Final = frozenset({"erase", "unsuppress"})
WITH_PAYLOADS: Final = ("queued", "dead", "cancelled")
"""Partitions of outcomes that may hold payloads."""


def lifted(wishes: Sequence[commands.Wish], marks: Sequence[Mark]) -> tuple[str, ...]:
    """Requests whose marks somebody wants lifted."""
    whose = {one.entity_hash for one in wishes if one.verb == "unsuppress"}
    return tuple(mark.message_id for mark in marks if mark.entity_hash in whose)


def requested(spark: SparkSession, where: Layout, after: int) -> bool:
    """Whether anybody is to be erased by what was recorded after commit *after* of outcomes."""
    rows = outcomes.inserted(spark, where, after)
    return not rows.where((F.col("kind") == "queued") & (F.col("reason") == REQUESTED)).isEmpty()


def request(
    spark: SparkSession, runtime: Runtime, claim: Claim, wishes: Sequence[commands.Wish]
) -> None:
    """Queue the calls that the wishes bring along; one that has an outcome is not queued again."""
    asked = [one for one in wishes if one.verb in VERBS]
    if not asked:
        return
    where, now = runtime.where, datetime.now(UTC)
    known = _known(spark, where, [str(one.message_id) for one in asked if one.message_id])
    new = [one for one in asked if one.payload is not None and one.message_id not in known]
    number = claim.next_number()
    rows = [
        {
            "kind": "queued",
            "message_id": one.message_id,
            "feed": FEED,
            "source_version": one.version,
            "call_number": 0,
            "call_type": "track",
            "entity_hash": one.entity_hash,
            "number": 1,
            "attempts": 0,
            "position": place,
            "stage": STAGE,
            "reason": REQUESTED if one.verb == "erase" else UNSUPPRESS,
            "next_attempt_at": now,
            "payload": one.payload,
            "payload_key_id": one.payload_key_id,
            "command_id": one.command_id,
            "committed_at": now,
            "recorded_at": now,
            "job": "drain",
            "slice": number,
        }
        for place, one in enumerate(new)
    ]
    if rows:
        outcomes.append(where, _frame(spark, rows), claim.held.app, number)
    done = [(one, "applied", "queued" if one in new else "was done before") for one in asked]
    commands.results(spark, where, done)


def carry_out(spark: SparkSession, runtime: Runtime, claim: Claim, marks: Sequence[Mark]) -> None:
    """One tick's work for the people that are marked, after the queue's commit."""
    if not marks:
        return
    where = runtime.where
    waiting = _waiting(spark, where, marks)
    requests = {mark.message_id for mark in marks}
    fresh = {i for i, _, reason in waiting if i in requests and reason == REQUESTED}
    others = {hash_ for i, hash_, _ in waiting if i not in requests}
    of_fresh = {mark.entity_hash for mark in marks if mark.message_id in fresh}
    if fresh or others:
        _bar(spark, runtime, claim, marks, fresh, of_fresh | others)
    under_way = {i for i, _, _ in waiting}
    for mark in marks:
        if mark.stage == "refused" and mark.message_id in under_way:  # somebody replayed it
            _set_stage(spark, where, mark, None)
    _end(spark, runtime, [m for m in marks if m.stage is None and m.message_id not in under_way])


def _waiting(
    spark: SparkSession, where: Layout, marks: Sequence[Mark]
) -> list[tuple[str, bytes, str]]:
    """Messages of erased people that are in the queue: id, entity, reason."""
    erased = _hashes(spark, {mark.entity_hash for mark in marks})
    rows = (
        rows_of(spark, where, "message")
        .join(F.broadcast(erased), F.col("entity_hash") == F.col("hash"), "leftsemi")
        .select("message_id", "entity_hash", "reason")
        .collect()
    )
    return [(row[0], bytes(row[1]), row[2]) for row in rows]


def _bar(
    spark: SparkSession,
    runtime: Runtime,
    claim: Claim,
    marks: Sequence[Mark],
    fresh: set[str],
    entities: set[bytes],
) -> None:
    """Cancel what waits or is dead, and let fresh requests wait until nothing else can arrive.

    The wait counts from now, which is after the commit of the mark: a slice that read the queue
    before it sends nothing later than its deadline, and no request outlives its timeout.
    """
    where, now = runtime.where, datetime.now(UTC)
    newest = _newest(spark, where, entities)
    is_request = F.col("message_id").isin([mark.message_id for mark in marks])
    to_wait = F.col("message_id").isin(list(fresh)) & (F.col("kind") == "queued")
    to_cancel = ~is_request & F.col("kind").isin("queued", "dead")
    number, due = claim.next_number(), now + timedelta(seconds=runtime.longest_slice())
    changed: dict[str, Column] = {
        "kind": F.when(to_wait, "queued").otherwise("cancelled"),
        "stage": F.lit(STAGE),
        "reason": F.when(to_wait, WAITING).otherwise(ERASED),
        "next_attempt_at": F.when(to_wait, F.lit(due)),
        "payload": F.when(to_wait, F.col("payload")),
        "payload_key_id": F.when(to_wait, F.col("payload_key_id")),
    }
    rows = outcomes.following(newest.where(to_wait | to_cancel), number, now, changed)
    kept = rows.toArrow()  # few, and a query that scans outcomes must end before the append begins
    if kept.num_rows == 0:
        return
    outcomes.append(where, frame(spark, OUTCOMES, kept), claim.held.app, number)
    cancelled = kept.num_rows - len(fresh)
    logger(job="drain").info("erase.barred", requests=len(fresh), cancelled=cancelled)
    for mark in marks:
        if mark.message_id in fresh:
            detail = {**_named(mark), "sent_not_before": due.isoformat(), "cancelled": cancelled}
            audit(spark, runtime.settings, "drain", "erase.marked", detail)


def _end(spark: SparkSession, runtime: Runtime, ended: Sequence[Mark]) -> None:
    """Scrub what is stored of people whose deletion was accepted; say where it was refused."""
    if not ended:
        return
    where = runtime.where
    kinds = {
        row["message_id"]: row["kind"]
        for row in outcomes.newest(spark, where, [mark.message_id for mark in ended], waited=True)
        .select("message_id", "kind")
        .collect()
    }
    for mark in ended:
        kind = kinds.get(mark.message_id)
        if kind == "accepted":
            scrubbed = _scrub(spark, where, mark)
            if scrubbed is None:
                continue
            _set_stage(spark, where, mark, "done")
            audit(spark, runtime.settings, "drain", "erase.done", {**_named(mark), **scrubbed})
            logger(job="drain").info("erase.done", **scrubbed)
        elif kind is not None and kind != "queued":
            _set_stage(spark, where, mark, "refused")
            detail = {**_named(mark), "outcome": kind}
            audit(spark, runtime.settings, "drain", "erase.refused", detail)
            logger(job="drain").error("erase.refused", message_id=mark.message_id, outcome=kind)


def _scrub(spark: SparkSession, where: Layout, mark: Mark) -> dict[str, int] | None:
    """Take the person's payloads out of outcomes and commands; how many, or None: try again."""
    kept = f"entity_hash = X'{bytes(mark.entity_hash).hex()}' AND payload IS NOT NULL"
    in_outcomes = f"kind IN ({', '.join(map(repr, WITH_PAYLOADS))}) AND {kept}"
    nothing = {"payload": "NULL", "payload_key_id": "NULL"}
    rows = where.place(OUTCOMES).read(spark).where(in_outcomes).count()
    wishes = where.place(COMMANDS).read(spark).where(kept).count()
    try:
        if rows:
            where.place(OUTCOMES).update(spark, in_outcomes, {**nothing, "detail": "NULL"})
        if wishes:
            where.place(COMMANDS).update(spark, kept, nothing)
    except PySparkException as error:
        if not is_conflict(error):
            raise
        logger(job="drain").info("erase.scrub_put_off")  # another append won; the next tick tries
        return None
    return {"payloads_scrubbed": rows, "commands_scrubbed": wishes}


def _set_stage(spark: SparkSession, where: Layout, mark: Mark, stage: str | None) -> None:
    it = f"kind = 'erased' AND message_id = {literal(mark.message_id)}"
    value = "NULL" if stage is None else literal(stage)
    where.place(RETRY_QUEUE).update(spark, it, {"stage": value})


def _newest(spark: SparkSession, where: Layout, entities: set[bytes]) -> DataFrame:
    """The newest outcome of each message of these entities that was ever queued or dead."""
    stored = where.place(OUTCOMES).read(spark, outcomes.version(spark, where))
    rows = outcomes.of_waited(stored)
    ids = (
        rows.where(F.col("kind").isin("queued", "dead"))
        .join(F.broadcast(_hashes(spark, entities)), F.col("entity_hash") == F.col("hash"), "semi")
        .select("message_id")
        .distinct()
    )
    return outcomes.newest_of(rows.join(F.broadcast(ids), "message_id", "semi"))


def _known(spark: SparkSession, where: Layout, ids: Sequence[str]) -> set[str]:
    rows = outcomes.newest(spark, where, ids, waited=True).select("message_id").collect()
    return {row["message_id"] for row in rows}


def _hashes(spark: SparkSession, entities: set[bytes]) -> DataFrame:
    return spark.createDataFrame([(bytearray(one),) for one in entities], "hash binary")


def _frame(spark: SparkSession, rows: Sequence[Mapping[str, object]]) -> DataFrame:
    return frame(
        spark, OUTCOMES, pa.Table.from_pylist([dict(row) for row in rows], schema=OUTCOMES.arrow)
    )


def _named(mark: Mark) -> dict[str, str]:
    return {"message_id": mark.message_id, "entity_hash": mark.entity_hash.hex()}
