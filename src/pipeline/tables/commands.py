"""Wishes of operators, and what became of them. Appended; applied by the table's writer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.core.records import COMMANDS
from pipeline.log import logger
from pipeline.tables.layout import Layout
from pipeline.tables.refusal import is_conflict
from pipeline.tables.rows import append_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """A call that was made anew for a replay, encrypted for its message."""

    payload: bytes
    payload_key_id: str
    entity_hash: bytes | None
    call_type: str | None
    event: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One command that was asked for."""

    version: int
    """Commit of `commands` that holds it."""
    command_id: str
    verb: str
    feed: str | None
    message_id: str | None
    source_version: int | None
    entity_hash: bytes | None = None
    argument: str | None = None
    payload: bytes | None = None
    payload_key_id: str | None = None


def wishes(spark: SparkSession, where: Layout, after: int) -> list[Wish]:
    """Wishes of the commits after *after*, in their order."""
    inserted = (F.col("entry") == "wish") & (F.col("_change_type") == "insert")
    rows = where.place(COMMANDS).changes(spark, after + 1).where(inserted)
    return [
        Wish(
            version=row["_commit_version"],
            command_id=row["command_id"],
            verb=row["verb"],
            feed=row["feed"],
            message_id=row["message_id"],
            source_version=row["source_version"],
            entity_hash=_bytes(row["entity_hash"]),
            argument=row["argument"],
            payload=_bytes(row["payload"]),
            payload_key_id=row["payload_key_id"],
        )
        for row in rows.orderBy("_commit_version", "command_id").collect()
    ]


def _bytes(value: bytearray | None) -> bytes | None:
    return None if value is None else bytes(value)


def released_upto(spark: SparkSession, where: Layout, feed: str) -> int | None:
    """The source version up to which operators released holds of this feed."""
    row = (
        where.place(COMMANDS)
        .read(spark)
        .where((F.col("entry") == "wish") & (F.col("verb") == "release") & (F.col("feed") == feed))
        .agg(F.max("source_version").alias("upto"))
        .first()
    )
    return None if row is None else row["upto"]


def wish(
    spark: SparkSession,
    where: Layout,
    command_id: str,
    verb: str,
    *,
    requested_by: str,
    feed: str | None = None,
    message_id: str | None = None,
    source_version: int | None = None,
) -> None:
    """Ask for something."""
    append_rows(
        spark,
        where,
        COMMANDS,
        [
            {
                "command_id": command_id,
                "entry": "wish",
                "verb": verb,
                "feed": feed,
                "message_id": message_id,
                "source_version": source_version,
                "requested_by": requested_by,
                "recorded_at": datetime.now(UTC),
            }
        ],
    )


def wish_for(
    spark: SparkSession,
    where: Layout,
    verb: str,
    messages: Sequence[tuple[str, str]],
    *,
    requested_by: str,
    argument: Mapping[str, Any] | None = None,
    rebuilt: Mapping[str, Rebuilt] | None = None,
) -> None:
    """Ask for the same for many messages, given by id and feed, in one commit.

    *rebuilt* has the calls that are to be sent in place of those that were sealed before.
    """
    now = datetime.now(UTC)
    calls = rebuilt or {}
    append_rows(
        spark,
        where,
        COMMANDS,
        [
            {
                "command_id": str(uuid4()),
                "entry": "wish",
                "verb": verb,
                "feed": feed,
                "message_id": message_id,
                "argument": _argument(argument, calls.get(message_id)),
                **_call(calls.get(message_id)),
                "requested_by": requested_by,
                "recorded_at": now,
            }
            for message_id, feed in messages
        ],
    )


def _argument(argument: Mapping[str, Any] | None, call: Rebuilt | None) -> str | None:
    words = dict(argument or {})
    if call is not None:
        words |= {"call_type": call.call_type, "event": call.event}
    return json.dumps(words) if words else None


def _call(call: Rebuilt | None) -> dict[str, Any]:
    if call is None:
        return {}
    return {
        "payload": call.payload,
        "payload_key_id": call.payload_key_id,
        "entity_hash": call.entity_hash,
    }


def forget_calls(spark: SparkSession, where: Layout) -> None:
    """Take the rebuilt calls out of wishes that were answered: they are in the queue by now.

    Where another append wins, a later call of this does it.
    """
    answered = (
        where.place(COMMANDS)
        .read(spark)
        .where((F.col("entry") == "wish") & (F.col("verb") == "replay"))
        .where(F.col("payload").isNotNull())
        .select("command_id")
    )
    done = where.place(COMMANDS).read(spark).where(F.col("entry") == "result")
    ids = [row[0] for row in answered.join(done, "command_id", "semi").collect()]
    if not ids:
        return
    which = ", ".join(f"'{one}'" for one in ids)
    try:
        where.place(COMMANDS).update(
            spark,
            f"entry = 'wish' AND command_id IN ({which})",
            {"payload": "NULL", "payload_key_id": "NULL"},
        )
    except PySparkException as error:
        if not is_conflict(error):
            raise
        logger(job="drain").info("commands.scrub_put_off")


def results(spark: SparkSession, where: Layout, done: Sequence[tuple[Wish, str, str]]) -> None:
    """Say what became of wishes: each with a status and a detail."""
    now = datetime.now(UTC)
    append_rows(
        spark,
        where,
        COMMANDS,
        [
            {
                "command_id": one.command_id,
                "entry": "result",
                "verb": one.verb,
                "feed": one.feed,
                "message_id": one.message_id,
                "status": status,
                "detail": detail,
                "recorded_at": now,
            }
            for one, status, detail in done
        ],
    )
