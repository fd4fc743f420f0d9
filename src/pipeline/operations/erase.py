"""Ask for a person to be erased, or to be let in again; see `streams.erase` for what drain does."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.core.cipher import NONCE_BYTES, encrypt
from pipeline.core.erasure import Entity, Wanted, request_call, request_id
from pipeline.core.fold import MESSAGE_KINDS
from pipeline.core.ids import entity_hash
from pipeline.core.records import COMMANDS, OUTCOMES
from pipeline.keys import Secrets
from pipeline.settings import Settings
from pipeline.tables import outcomes, retry_queue
from pipeline.tables.audit import audit
from pipeline.tables.layout import layout
from pipeline.tables.rows import append_rows
from pipeline.tables.unpacked import unpacked
from pipeline.tables.who import who

ASKED: Final = "asked: drain has not taken it in yet"
BARRED: Final = "barred in both jobs; the call waits until nothing else can arrive"
SENT: Final = "accepted by the destination; what is stored is being scrubbed"
DONE: Final = "done"
REFUSED: Final = "refused by the destination: see `pipeline dead list`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the pipeline holds about somebody, in numbers."""

    messages: dict[str, int]
    """Newest outcome of each message to how many."""
    payloads: int
    """Rows with a payload, encrypted."""
    marked: bool


def stored(spark: SparkSession, settings: Settings, secrets: Secrets, entity: Entity) -> Stored:
    """Count, and change nothing."""
    where, hash_ = layout(settings), entity_hash(str(entity), secrets.hashing_key)
    rows = unpacked(where.place(OUTCOMES).read(spark))
    rows = rows.where(F.col("entity_hash") == F.lit(bytearray(hash_)))
    newest = (
        rows.where(F.col("kind").isin(*MESSAGE_KINDS))
        .groupBy("message_id")
        .agg(F.max_by("kind", "number").alias("kind"))
        .groupBy("kind")
        .count()
    )
    _, marks = retry_queue.heads(spark, where)
    return Stored(
        messages={row["kind"]: row["count"] for row in newest.orderBy("kind").collect()},
        payloads=rows.where(F.col("payload").isNotNull()).count(),
        marked=any(mark.entity_hash == hash_ for mark in marks),
    )


def ask(
    spark: SparkSession, settings: Settings, secrets: Secrets, entity: Entity, wanted: Wanted
) -> str:
    """Append the wish and its audit entry; the message id of the call that will be sent."""
    where, now, command_id = layout(settings), datetime.now(UTC), str(uuid4())
    message_id = request_id(command_id, now, secrets.hashing_key)
    call = request_call(entity, wanted, message_id, now)
    hash_ = entity_hash(str(entity), secrets.hashing_key)
    verb = "unsuppress" if wanted == "unsuppress" else "erase"
    keys = secrets.payload_keys
    wish: dict[str, Any] = {
        "command_id": command_id,
        "entry": "wish",
        "verb": verb,
        "message_id": message_id,
        "entity_hash": hash_,
        "payload": encrypt(keys, message_id, b"{}", call, os.urandom(NONCE_BYTES)),
        "payload_key_id": keys.current,
        "requested_by": who(spark),
        "recorded_at": now,
    }
    detail = {"message_id": message_id, "entity_hash": hash_.hex(), "wanted": wanted}
    audit(spark, settings, "cli", f"{verb}.requested", {**detail, "command_id": command_id})
    append_rows(spark, where, COMMANDS, [wish])
    return message_id


def progress(spark: SparkSession, settings: Settings, message_id: str) -> str:
    """How far a request is."""
    where = layout(settings)
    _, marks = retry_queue.heads(spark, where)
    stage = {mark.message_id: mark.stage or "" for mark in marks}.get(message_id)
    rows = outcomes.newest(spark, where, [message_id], waited=True).select("kind").collect()
    kind = rows[0]["kind"] if rows else None
    if stage == "done":
        return DONE
    match kind:
        case "accepted":
            return SENT if stage is not None else DONE
        case "dead" | "cancelled":
            return REFUSED
        case "queued":
            return BARRED if stage is not None else ASKED
        case _:
            return ASKED


def wait(
    spark: SparkSession,
    settings: Settings,
    message_id: str,
    *,
    seconds: float,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Tell each step until the request is done or refused, or the time is over; the last step."""
    until, last = time.monotonic() + seconds, ""
    while True:
        now = progress(spark, settings, message_id)
        if now != last:
            say(now)
            last = now
        if now in {DONE, REFUSED} or time.monotonic() >= until:
            return now
        sleep(min(2.0, max(0.0, until - time.monotonic())))
