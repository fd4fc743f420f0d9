"""Ask drain to re-encrypt payloads with the current key, and see what is left of older keys."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.core.records import COMMANDS, OUTCOMES, RETRY_QUEUE
from pipeline.settings import Settings
from pipeline.tables.layout import layout
from pipeline.tables.rows import append_rows
from pipeline.tables.who import who

AGAIN = 5.0
"""Seconds between two looks."""


def in_use(spark: SparkSession, settings: Settings) -> dict[str, int]:
    """Rows with a payload, by the id of its key."""
    found: dict[str, int] = {}
    for table in (RETRY_QUEUE, OUTCOMES, COMMANDS):
        rows = layout(settings).place(table).read(spark).where(F.col("payload").isNotNull())
        for row in rows.groupBy("payload_key_id").count().collect():
            found[str(row[0])] = found.get(str(row[0]), 0) + int(row[1])
    return found


def re_encrypt(
    spark: SparkSession,
    settings: Settings,
    key: str,
    *,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[str, str] | None:
    """Ask until drain has done it with *key*; its answer, or None when it gave none in time.

    It refuses as long as it has not read the new key: then it is asked again.
    """
    until, last = time.monotonic() + seconds, None
    while True:
        command_id = str(uuid4())
        wish = {
            "command_id": command_id,
            "entry": "wish",
            "verb": "re-encrypt",
            "argument": json.dumps({"key": key}),
            "requested_by": who(spark),
            "recorded_at": datetime.now(UTC),
        }
        append_rows(spark, layout(settings), COMMANDS, [wish])
        while (answer := _answer(spark, settings, command_id)) is None:
            if time.monotonic() >= until:
                return last
            sleep(AGAIN)
        last = answer
        if answer[0] == "applied" or time.monotonic() >= until:
            return answer
        sleep(AGAIN)


def _answer(spark: SparkSession, settings: Settings, command_id: str) -> tuple[str, str] | None:
    rows = layout(settings).place(COMMANDS).read(spark)
    is_result = (F.col("command_id") == command_id) & (F.col("entry") == "result")
    row = rows.where(is_result).select("status", "detail").first()
    return None if row is None else (str(row[0]), str(row[1]))
