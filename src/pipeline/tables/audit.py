"""Append to the audit log and read it: who did what, when, from where; see `core.audit`.

Two processes may write one chain: each append carries its place as Delta's transaction version,
so that of two appends for one place the second is skipped, notices, and takes the next.
"""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.core.audit import BEGINNING, AuditEntry, Head, entry_hash
from pipeline.core.records import AUDIT_LOG
from pipeline.log import logger
from pipeline.settings import Settings
from pipeline.tables.layout import layout
from pipeline.tables.refusal import TablesError, is_conflict
from pipeline.tables.rows import frame
from pipeline.tables.who import who

ATTEMPTS: Final = 10
"""Places that one append tries before it gives up."""


def audit(
    spark: SparkSession, settings: Settings, writer: str, action: str, detail: Mapping[str, Any]
) -> None:
    """Append one entry: *writer* names the chain (deliver, drain, cli), *detail* is JSON.

    Nothing personal in it: keyed hashes, counts, fingerprints.

    Raises:
        TablesError: others took each place that was tried.
    """
    place = layout(settings).place(AUDIT_LOG)
    origin = f"{socket.gethostname()}/{os.getpid()}"
    for _ in range(ATTEMPTS):
        last = _last(spark, settings, writer)
        entry = AuditEntry(
            writer=writer,
            sequence=0 if last is None else last.sequence + 1,
            action=action,
            who=who(spark),
            origin=origin,
            detail=json.dumps(dict(detail), sort_keys=True, default=str),
            recorded_at=datetime.now(UTC),
            previous_hash=BEGINNING if last is None else last.hash,
        )
        entry = replace(entry, hash=entry_hash(entry))
        rows = pa.Table.from_pylist([asdict(entry)], schema=AUDIT_LOG.arrow)
        try:
            place.append(frame(spark, AUDIT_LOG, rows), app=f"audit/{writer}", txn=entry.sequence)
        except PySparkException as error:
            if not is_conflict(error):
                raise
        if _last(spark, settings, writer) == Head(sequence=entry.sequence, hash=entry.hash):
            _anchor(settings, writer, entry)
            logger().info("audit.recorded", writer=writer, sequence=entry.sequence, action=action)
            return
    raise TablesError(f"{place}: {ATTEMPTS} appends were overtaken by others; try again")


def entries(
    spark: SparkSession, settings: Settings, *, action: str | None = None
) -> list[AuditEntry]:
    """All entries, or those of an action and of the actions below it, in the order of time."""
    rows = layout(settings).place(AUDIT_LOG).read(spark)
    if action is not None:
        rows = rows.where((F.col("action") == action) | F.col("action").startswith(f"{action}."))
    found = [
        AuditEntry(**{**row.asDict(), "recorded_at": _utc(row["recorded_at"])})
        for row in rows.select(*AuditEntry.__slots__).collect()
    ]
    return sorted(found, key=lambda entry: (entry.recorded_at, entry.writer, entry.sequence))


def heads(settings: Settings) -> dict[str, Head]:
    """The heads that are anchored, by writer."""
    folder = Path(settings.audit_heads)
    if not folder.is_dir():
        return {}
    found = {}
    for file in folder.glob("*.json"):
        content: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        found[content["writer"]] = Head(sequence=content["sequence"], hash=content["hash"])
    return found


def _last(spark: SparkSession, settings: Settings, writer: str) -> Head | None:
    newest = (
        layout(settings)
        .place(AUDIT_LOG)
        .read(spark)
        .where(F.col("writer") == writer)
        .agg(F.max_by(F.struct("sequence", "hash"), "sequence").alias("head"))
        .first()
    )
    if newest is None or newest["head"] is None:
        return None
    return Head(sequence=newest["head"]["sequence"], hash=newest["head"]["hash"])


def _anchor(settings: Settings, writer: str, entry: AuditEntry) -> None:
    """Keep the head outside the table, in one small file a writer, replaced whole."""
    folder = Path(settings.audit_heads)
    folder.mkdir(parents=True, exist_ok=True)
    content = {"writer": writer, "sequence": entry.sequence, "hash": entry.hash}
    beside = folder / f".{writer}.{os.getpid()}"
    beside.write_text(json.dumps(content), encoding="utf-8")
    beside.replace(folder / f"{writer}.json")


def _utc(moment: datetime) -> datetime:
    """Collected timestamps come without a zone, in this process's own."""
    return moment.astimezone(UTC)
