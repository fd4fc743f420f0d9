"""Carry out commands about messages: each takes effect as a row in `outcomes`.

Judged by the message's newest outcome, so that repeating a command after a crash does nothing:
retry only what is queued, discard that and what is dead, replay only what is dead. A replay is
refused where it would let an old change overwrite a newer one, unless its wish says `stale`.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from pipeline.log import logger
from pipeline.streams.claim import Claim
from pipeline.tables import commands, outcomes
from pipeline.tables.layout import Layout
from pipeline.tables.retry_queue import Mark

FROM: Final = {"discard": ("queued", "dead"), "retry": ("queued",), "replay": ("dead",)}
"""Verb to the kinds of the newest outcome that it may be said of."""
ELSEWHERE: Final = frozenset({"release", "erase", "unsuppress", "compact", "re-encrypt"})
"""Read by deliver, or carried out elsewhere in `streams`."""
TO: Final = {"discard": "cancelled", "retry": "queued", "replay": "queued"}


def obey(
    spark: SparkSession,
    where: Layout,
    claim: Claim,
    wishes: Sequence[commands.Wish],
    marks: Sequence[Mark] = (),
) -> None:
    """Append what the wishes come to, in one commit, before the position of commands moves.

    Of a person that is marked as erased no message comes back.
    """
    about = [w for w in wishes if w.verb in FROM and w.message_id is not None]
    unknown = [w for w in wishes if w not in about and w.verb not in ELSEWHERE]
    refused = [(w, "refused", f"{w.verb}: not known, or without a message id") for w in unknown]
    if not about:
        commands.results(spark, where, refused)
        return
    ids = {str(w.message_id) for w in about}
    newest = outcomes.newest(spark, where, sorted(ids), waited=True)
    found = _told(newest)
    if others := ids - {row["message_id"] for row in found}:
        found += _told(outcomes.newest(spark, where, sorted(others)))
    kinds = {row["message_id"]: row["kind"] for row in found}
    hashes = {mark.entity_hash for mark in marks}
    erased = {row["message_id"] for row in found if bytes(row["entity_hash"] or b"") in hashes}
    erased |= {str(w.message_id) for w in about if w.entity_hash in hashes}
    replays = [w for w in about if w.verb == "replay"]
    callless = {r["message_id"] for r in found if r["stage"] == "map" or not r["kept"]}
    callless -= {str(w.message_id) for w in replays if w.payload is not None}
    stale = _overtaken(spark, where, newest, replays)
    erased -= {mark.message_id for mark in marks}
    done: list[tuple[commands.Wish, str, str]] = refused
    granted: dict[str, commands.Wish] = {}
    for one in about:
        kind = kinds.get(str(one.message_id))
        if one.message_id in erased:
            done.append((one, "refused", "its person or object was erased"))
        elif one.verb == "replay" and kind == "dead" and one.message_id in stale:
            done.append((one, "refused", "a later change of its person or object was accepted"))
        elif one.verb == "replay" and kind == "dead" and one.message_id in callless:
            done.append((one, "refused", "its call was never made: pipeline replay --remap"))
        elif kind in FROM[one.verb]:
            granted[str(one.message_id)] = one
            kinds[str(one.message_id)] = TO[one.verb]
            done.append((one, "applied", f"{kind} to {TO[one.verb]}"))
        else:
            done.append(
                (
                    one,
                    "refused",
                    f"{one.verb} is for {' and '.join(FROM[one.verb])} messages, this is {kind}",
                )
            )
    if granted:
        number = claim.next_number()
        rows = _rows(spark, newest, granted, number)
        outcomes.append(where, rows, claim.held.app, number)
    commands.results(spark, where, done)
    if any(one.payload is not None for one in replays):
        commands.forget_calls(spark, where)
    logger(job="drain").info("commands.applied", applied=len(granted), asked=len(about))


def _told(newest: DataFrame) -> list[Row]:
    kept = F.col("payload").isNotNull().alias("kept")
    return newest.select("message_id", "kind", "entity_hash", "stage", kept).collect()


def _overtaken(
    spark: SparkSession, where: Layout, newest: DataFrame, replays: Sequence[commands.Wish]
) -> set[str]:
    """Replays that would come after a later change; the entity may be one that a remap found."""
    asked = {str(w.message_id): w.entity_hash for w in replays if not _words(w).get("stale")}
    if not asked:
        return set()
    about = spark.createDataFrame(
        list(asked.items()),
        "message_id string, now_about binary",
    )
    messages = newest.join(F.broadcast(about), "message_id").select(
        "message_id",
        "feed",
        F.coalesce("now_about", "entity_hash").alias("entity_hash"),
        "source_version",
    )
    return outcomes.overtaken(spark, where, messages)


def _words(wish: commands.Wish) -> Mapping[str, Any]:
    """The further words of a wish; none where it has none that can be read."""
    try:
        words = json.loads(wish.argument or "{}")
    except ValueError:
        return {}
    return words if isinstance(words, dict) else {}


def _rows(
    spark: SparkSession, newest: DataFrame, granted: dict[str, commands.Wish], number: int
) -> DataFrame:
    """The rows that the wishes become. A replay starts its count of attempts anew."""
    now = datetime.now(UTC)
    wished = spark.createDataFrame(
        [
            (
                message_id,
                w.verb,
                TO[w.verb],
                w.command_id,
                w.payload,
                w.payload_key_id,
                w.entity_hash,
                _words(w).get("call_type"),
                _words(w).get("event"),
            )
            for message_id, w in granted.items()
        ],
        "message_id string, verb string, to string, by_command string, new_payload binary, "
        "new_key string, new_entity binary, new_type string, new_event string",
    )
    remapped = F.col("new_payload").isNotNull()
    stays = F.col("to") == "queued"
    changed = {
        "kind": F.col("to"),
        "attempts": F.when(F.col("verb") == "replay", 0).otherwise(F.col("attempts")),
        "stage": F.lit("command"),
        "reason": F.col("verb"),
        "next_attempt_at": F.when(stays, F.lit(now)),
        "payload": F.when(stays, F.coalesce("new_payload", "payload")),
        "payload_key_id": F.when(
            stays, F.when(remapped, F.col("new_key")).otherwise(F.col("payload_key_id"))
        ),
        "entity_hash": F.coalesce("new_entity", "entity_hash"),
        "call_type": F.coalesce("new_type", "call_type"),
        "event": F.when(remapped, F.col("new_event")).otherwise(F.col("event")),
        "command_id": F.col("by_command"),
    }
    return outcomes.following(newest.join(F.broadcast(wished), "message_id"), number, now, changed)
