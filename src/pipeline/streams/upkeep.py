"""Drain's part of the upkeep: it alone rewrites the retry queue, so it compacts and re-encrypts.

A payload is re-encrypted where it lies, with the key that is the current one. While that goes on,
both jobs have both keys, so nothing stops.
"""

import json
import os
from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.core.cipher import (
    NONCE_BYTES,
    KeyMissingError,
    Keyring,
    TamperedError,
    decrypt,
    encrypt,
)
from pipeline.core.records import COMMANDS, OUTCOMES, RETRY_QUEUE, Table
from pipeline.log import logger
from pipeline.streams.runtime import Runtime
from pipeline.tables import commands
from pipeline.tables.audit import audit
from pipeline.tables.layout import literal
from pipeline.tables.refusal import is_conflict
from pipeline.tables.rewrite import rewrite

ENCRYPTED: Final[tuple[tuple[Table, str], ...]] = (
    (RETRY_QUEUE, "q.kind = 'message' AND q.message_id = s.message_id"),
    (
        OUTCOMES,
        "q.kind IN ('queued', 'dead') AND q.message_id = s.message_id AND q.number = s.number",
    ),
    (COMMANDS, "q.entry = 'wish' AND q.message_id = s.message_id"),
)
"""Tables with payloads, and what finds one row of them."""
TRIES: Final = 5
_DDL: Final = "message_id string, number int, payload binary, payload_key_id string"
_SCHEMA: Final = pa.schema(
    [
        ("message_id", pa.string()),
        ("number", pa.int32()),
        ("payload", pa.binary()),
        ("payload_key_id", pa.string()),
    ]
)


def upkeep(spark: SparkSession, runtime: Runtime, wishes: Sequence[commands.Wish]) -> None:
    """Carry out wishes to compact the queue and to re-encrypt payloads."""
    for one in wishes:
        if one.verb == "compact":
            rewrite(spark, runtime.where, RETRY_QUEUE)
            done = (one, "applied", "retry_queue was compacted")
        elif one.verb == "re-encrypt":
            done = (one, *_re_encrypt_all(spark, runtime, one.argument))
        else:
            continue
        commands.results(spark, runtime.where, [done])


def _re_encrypt_all(spark: SparkSession, runtime: Runtime, argument: str | None) -> tuple[str, str]:
    """Status and detail of the wish; its argument names the key that is meant."""
    keys = runtime.keys().payload_keys
    wanted = json.loads(argument or "{}").get("key", keys.current)
    if keys.current != wanted:
        return "refused", f"drain encrypts with key {keys.current}, not yet with {wanted}"
    rows: dict[str, int] = {}
    for table, same in ENCRYPTED:
        found = _re_encrypt(spark, runtime, table, same)
        if found is None:
            return "refused", f"{table.name}: others' appends came between each time; ask again"
        rows[table.name] = found
    audit(spark, runtime.settings, "drain", "key.re-encrypted", {"key": keys.current, **rows})
    logger(job="drain").info("key.re_encrypted", key=keys.current, **rows)
    told = ", ".join(f"{number} in {name}" for name, number in rows.items())
    return "applied", f"payloads that are not of key {keys.current} are none any more: {told}"


def _re_encrypt(spark: SparkSession, runtime: Runtime, table: Table, same: str) -> int | None:
    """Rows that were re-encrypted; None where appends by others came between."""
    place, keys = runtime.where.place(table), runtime.keys().payload_keys
    number = "number" if "number" in {c.name for c in table.columns} else "CAST(0 AS INT) AS number"
    old = (
        place.read(spark)
        .where(F.col("payload").isNotNull() & (F.col("payload_key_id") != keys.current))
        .selectExpr("message_id", number, "payload", "payload_key_id")
    )

    def anew(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield re_encrypted(batch, keys)

    fresh = spark.createDataFrame(old.mapInArrow(anew, _DDL).toArrow(), _DDL)
    rows = fresh.count()
    if not rows:
        return 0
    clauses = (
        f"ON {same} WHEN MATCHED THEN UPDATE SET q.payload = s.payload, "
        f"q.payload_key_id = {literal(keys.current)}"
    )
    for _ in range(TRIES):
        try:
            place.merge(spark, fresh, clauses)
        except PySparkException as error:
            if not is_conflict(error):
                raise
        else:
            return rows
    return None


def re_encrypted(batch: pa.RecordBatch, keys: Keyring) -> pa.RecordBatch:
    """The rows with payloads of the current key; without those that cannot be opened."""
    rows = []
    for row in batch.to_pylist():
        try:
            envelope, call = decrypt(keys, row["payload_key_id"], row["message_id"], row["payload"])
        except (KeyMissingError, TamperedError):
            continue
        nonce = os.urandom(NONCE_BYTES)
        payload = encrypt(keys, row["message_id"], envelope, call, nonce)
        rows.append({**row, "payload": payload, "payload_key_id": keys.current})
    return pa.RecordBatch.from_pylist(rows, schema=_SCHEMA)
