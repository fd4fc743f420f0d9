"""Find messages that wait or that are dead, and all that is known of one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.cipher import KeyMissingError, Keyring, TamperedError, decrypt
from pipeline.core.fold import MESSAGE_KINDS
from pipeline.core.records import COMMANDS, OUTCOMES
from pipeline.operations.choice import Filter, MessageError, Pile
from pipeline.tables import outcomes
from pipeline.tables.layout import Layout
from pipeline.tables.unpacked import unpacked
from pipeline.tables.views import make_session_views

_VIEWS: Final[dict[Pile, tuple[str, str]]] = {
    "queue": ("queued_messages", "queued_at"),
    "dead": ("dead_letters", "recorded_at"),
}
_SHOWN: Final = (
    "message_id", "feed", "source_version", "call_type", "event", "stage", "reason", "detail",
    "attempts",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Messages of one pile."""

    total: int
    groups: tuple[dict[str, Any], ...]
    """feed, stage, reason, messages, oldest; the largest first."""
    rows: tuple[dict[str, Any], ...] = field(default=())
    """The oldest ones."""


def find(spark: SparkSession, where: Layout, pile: Pile, wanted: Filter, limit: int) -> Found:
    """How many match, by feed and reason, and the *limit* oldest of them."""
    rows = _matching(spark, where, pile, wanted)
    groups = (
        rows.groupBy("feed", "stage", "reason")
        .agg(F.count("*").alias("messages"), F.min("since").alias("oldest"))
        .orderBy(F.desc("messages"), "feed", "reason")
        .collect()
    )
    shown = (
        rows.select(*_SHOWN, F.lower(F.hex("entity_hash")).alias("entity"), "since")
        .orderBy("since", "message_id")
        .limit(limit)
        .collect()
        if limit
        else []
    )
    return Found(
        total=sum(row["messages"] for row in groups),
        groups=tuple(row.asDict() for row in groups),
        rows=tuple(row.asDict() for row in shown),
    )


def ids(
    spark: SparkSession, where: Layout, pile: Pile, wanted: Filter, limit: int | None
) -> list[tuple[str, str]]:
    """Ids and feeds of the messages that match, the oldest first, at most *limit*."""
    rows = _matching(spark, where, pile, wanted).orderBy("since", "message_id")
    rows = rows if limit is None else rows.limit(limit)
    return [(row[0], row[1]) for row in rows.select("message_id", "feed").collect()]


def _matching(spark: SparkSession, where: Layout, pile: Pile, wanted: Filter) -> DataFrame:
    make_session_views(spark, where)
    view, since = _VIEWS[pile]
    rows = spark.table(view).withColumn("since", F.col(since))
    for condition in _conditions(wanted, datetime.now(UTC)):
        rows = rows.where(condition)
    return rows


def _conditions(wanted: Filter, now: datetime) -> list[Column]:
    found = []
    if wanted.feed is not None:
        found.append(F.col("feed") == wanted.feed)
    if wanted.reason is not None:
        found.append(F.col("reason") == wanted.reason)
    if wanted.entity_hash is not None:
        found.append(F.col("entity_hash") == F.lit(bytearray(wanted.entity_hash)))
    if wanted.older_than is not None:
        found.append(F.col("since") <= F.lit(now - wanted.older_than))
    if wanted.newer_than is not None:
        found.append(F.col("since") > F.lit(now - wanted.newer_than))
    if wanted.message_ids:
        found.append(F.col("message_id").isin(*wanted.message_ids))
    return found


def history(spark: SparkSession, where: Layout, message_id: str) -> list[dict[str, Any]]:
    """All outcomes of a message in their order, without payloads.

    Raises:
        MessageError: nothing is known of it.
    """
    found = (
        unpacked(where.place(OUTCOMES).read(spark), [message_id])
        .where(F.col("kind").isin(*MESSAGE_KINDS) & (F.col("message_id") == message_id))
        .select(
            "number", "kind", "job", *(c for c in _SHOWN if c != "message_id"),
            F.lower(F.hex("entity_hash")).alias("entity"), "next_attempt_at", "request_id",
            "command_id", "committed_at", "recorded_at",
            F.col("payload").isNotNull().alias("has_payload"), "payload_key_id",
        )
        .orderBy("number", "recorded_at")
        .collect()
    )  # fmt: skip
    if not found:
        raise MessageError(
            f"message {message_id}: nothing is known of it here; `pipeline queue list` and "
            "`pipeline dead list` have the ids of what was not accepted"
        )
    return [row.asDict() for row in found]


def request_of(spark: SparkSession, where: Layout, request_id: str) -> dict[str, Any] | None:
    """The request that decided about a message."""
    row = (
        where.place(OUTCOMES)
        .read(spark)
        .where((F.col("kind") == "request") & (F.col("request_id") == request_id))
        .select("endpoint", "status", "reason", "duration_ms", "bytes", "calls", "answer")
        .first()
    )
    return None if row is None else row.asDict()


def commands_of(spark: SparkSession, where: Layout, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Who asked for the commands that a message's outcomes carry out."""
    if not ids:
        return []
    rows = (
        where.place(COMMANDS)
        .read(spark)
        .where((F.col("entry") == "wish") & F.col("command_id").isin(*ids))
        .select("command_id", "verb", "requested_by", "recorded_at")
    )
    return [row.asDict() for row in rows.collect()]


def payload(spark: SparkSession, where: Layout, message_id: str, keys: Keyring) -> str:
    """The sealed call of a message as JSON, decrypted here.

    Raises:
        MessageError: none is kept, or it cannot be decrypted.
    """
    newest = outcomes.newest(spark, where, [message_id], waited=True)
    row = newest.select("payload", "payload_key_id").first()
    if row is None or row["payload"] is None:
        raise MessageError(
            f"message {message_id}: no payload is kept; it is kept only while a message waits or "
            "is dead, and only where the row could be mapped"
        )
    try:
        _, call = decrypt(keys, row["payload_key_id"], message_id, bytes(row["payload"]))
    except (KeyMissingError, TamperedError) as error:
        raise MessageError(str(error)) from error
    return call.decode()
