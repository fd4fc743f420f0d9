"""Look after the files of the pipeline's tables: few, and none that are out of use for long.

A deleted or changed row is gone only when the files that held it are: deletion vectors are purged,
and files that are out of use are vacuumed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.core.records import COMMANDS, LEASES, OUTCOMES, RETRY_QUEUE, TABLES, Table
from pipeline.tables import retry_queue
from pipeline.tables.layout import Layout
from pipeline.tables.refusal import is_conflict
from pipeline.tables.rewrite import rewrite

CHECK: Final = "spark.databricks.delta.retentionDurationCheck.enabled"
WEEK: Final = timedelta(days=7)
READ_FROM_THE_BEGINNING: Final = (LEASES,)
"""Their change feed is read from its first version: their files stay."""
HARMLESS: Final = frozenset({"WRITE", "CREATE TABLE", "SET TBLPROPERTIES", "ADD COLUMNS"})
"""Operations that put no file out of use."""
OF_DRAIN: Final = (RETRY_QUEUE,)
"""Rewritten by drain alone, when it is asked to: another writer would make its commits fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cared:
    """What was done for one table's files."""

    table: str
    files_before: int
    files: int
    vacuumed: bool
    why_not: str | None = None


def care(spark: SparkSession, where: Layout, vacuum_after: timedelta) -> tuple[Cared, ...]:
    """Compact, purge and vacuum each table."""
    return tuple(
        _care(spark, where, table, vacuum_after)
        for table in TABLES
        if table not in READ_FROM_THE_BEGINNING
    )


def _care(spark: SparkSession, where: Layout, table: Table, vacuum_after: timedelta) -> Cared:
    place = where.place(table)
    if place.version(spark) == 0:
        return Cared(table=table.name, files_before=0, files=0, vacuumed=True)
    before = _files(spark, where, table)
    why_not = None
    if table not in OF_DRAIN:
        try:
            rewrite(spark, where, table)
        except PySparkException as error:
            if not is_conflict(error):
                raise
            why_not = "somebody else rewrote it meanwhile"
    behind = unread(spark, where, table, datetime.now(UTC) - vacuum_after)
    if behind is None:
        hours = vacuum_after.total_seconds() / 3600
        with _allowed(spark, vacuum_after):
            spark.sql(f"VACUUM {place.sql} RETAIN {hours:.4f} HOURS").collect()
    return Cared(
        table=table.name,
        files_before=before,
        files=_files(spark, where, table),
        vacuumed=behind is None,
        why_not=behind or why_not,
    )


def unread(spark: SparkSession, where: Layout, table: Table, until: datetime) -> str | None:
    """Why files must stay that went out of use before *until*: drain has not read so far yet."""
    at = retry_queue.positions(spark, where)
    if table == OUTCOMES:
        position = at.outcomes
    elif table == COMMANDS:
        position = at.commands
    else:
        return None
    later = [
        (row["version"], row["timestamp"].astimezone(UTC), row["operation"])
        for row in spark.sql(f"DESCRIBE HISTORY {where.place(table).sql}")
        .where(F.col("version") > position)
        .select("version", "timestamp", "operation")
        .collect()
    ]
    if not takes_unread(later, until):
        return None
    return f"drain has read it up to version {position} only: let it run, then do this again"


def takes_unread(later: Sequence[tuple[int, datetime, str]], until: datetime) -> bool:
    """Whether a rewrite before *until* put files out of use that came after what drain has read.

    *later* are commits after drain's position: version, time, operation.
    """
    written = [version for version, _, operation in later if operation == "WRITE"]
    return any(
        operation not in HARMLESS and version > min(written, default=version) and at < until
        for version, at, operation in later
    )


def _files(spark: SparkSession, where: Layout, table: Table) -> int:
    row = spark.sql(f"DESCRIBE DETAIL {where.place(table).sql}").select("numFiles").first()
    return 0 if row is None else int(row[0])


@contextmanager
def _allowed(spark: SparkSession, vacuum_after: timedelta) -> Iterator[None]:
    """Delta asks for a week at least, unless it is told that somebody knows what they do."""
    if vacuum_after >= WEEK:
        yield
        return
    before = spark.conf.get(CHECK, "true")
    spark.conf.set(CHECK, "false")
    try:
        yield
    finally:
        spark.conf.set(CHECK, before or "true")
