"""All that the pipeline holds about one person or object, in the clear: for whom asks for it."""

import json
from typing import Any, Final

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from pipeline.core.cipher import KeyMissingError, TamperedError, decrypt
from pipeline.core.erasure import Entity
from pipeline.core.ids import entity_hash
from pipeline.core.records import COMMANDS, OUTCOMES, RETRY_QUEUE, Table
from pipeline.keys import Secrets
from pipeline.settings import Settings
from pipeline.tables.audit import audit
from pipeline.tables.layout import Layout, layout
from pipeline.tables.unpacked import unpacked

HOLDING: Final = (OUTCOMES, RETRY_QUEUE, COMMANDS)
"""Tables that say something of a person, by the keyed hash."""


def export(
    spark: SparkSession, settings: Settings, secrets: Secrets, entity: Entity
) -> dict[str, Any]:
    """Rows by table as JSON values, payloads decrypted. It leaves an entry in the audit log."""
    hash_ = entity_hash(str(entity), secrets.hashing_key)
    found = {
        table.name: [
            _row(row, secrets)
            for row in _rows(spark, layout(settings), table)
            .where(F.col("entity_hash") == F.lit(bytearray(hash_)))
            .orderBy("recorded_at" if table is not RETRY_QUEUE else "queued_at")
            .collect()
        ]
        for table in HOLDING
    }
    counts = {name: len(rows) for name, rows in found.items()}
    audit(spark, settings, "cli", "export.made", {"entity_hash": hash_.hex(), "rows": counts})
    return {"entity": str(entity), "entity_hash": hash_.hex(), **found, "elsewhere": _elsewhere()}


def _rows(spark: SparkSession, where: Layout, table: Table) -> DataFrame:
    rows = where.place(table).read(spark)
    return unpacked(rows) if table is OUTCOMES else rows


def _row(row: Row, secrets: Secrets) -> dict[str, Any]:
    """The columns that say something; the payload as what was to be sent."""
    content = {name: value for name, value in row.asDict().items() if value is not None}
    payload, key = content.pop("payload", None), content.pop("payload_key_id", None)
    if payload is not None:
        content["payload"] = _opened(row["message_id"], key, bytes(payload), secrets)
    return {name: _value(value) for name, value in content.items()}


def _opened(message_id: str, key: str, payload: bytes, secrets: Secrets) -> Any:
    try:
        envelope, call = decrypt(secrets.payload_keys, key, message_id, payload)
        return {"batch": json.loads(envelope or b"{}"), "call": json.loads(call)}
    except (KeyMissingError, TamperedError) as error:
        return f"not readable: {error}"


def _value(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    return value.isoformat() if hasattr(value, "isoformat") else value


def _elsewhere() -> list[str]:
    """What an answer to a person must not forget."""
    return [
        "Customer.io holds what was accepted: ask it, by the ids of the messages",
        "the source tables hold the rows themselves",
        "older versions of the pipeline's tables stay until `pipeline maintain` vacuums them",
    ]
