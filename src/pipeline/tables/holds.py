"""Holds as rows: what waits, why, since when. Appended; the newest row of a job and feed counts."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from pyspark.sql import SparkSession

from pipeline.core.records import HOLDS
from pipeline.tables.layout import Layout
from pipeline.tables.rows import append_rows
from pipeline.tables.views import statements

Entry = Literal["began", "goes_on", "ended", "left"]

CURRENT: Final = "current_holds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A hold as its rows have it."""

    hold_id: str
    job: str
    feed: str | None
    """None for drain, which is of no feed."""
    reason: str
    detail: str
    began_at: datetime
    source_version: int | None = None
    messages: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """A hold that has not ended."""

    noted: Noted
    entry: Entry
    """`left`: the job stopped while it held."""
    recorded_at: datetime


def note(spark: SparkSession, where: Layout, one: Noted, entry: Entry, number: int) -> None:
    """Append how a hold stands; *number* orders the rows of its job and feed."""
    append_rows(
        spark,
        where,
        HOLDS,
        [
            {
                "hold_id": one.hold_id,
                "job": one.job,
                "feed": one.feed,
                "entry": entry,
                "number": number,
                "reason": one.reason,
                "detail": one.detail,
                "source_version": one.source_version,
                "messages": one.messages,
                "began_at": one.began_at,
                "recorded_at": datetime.now(UTC),
            }
        ],
    )


def current(spark: SparkSession, where: Layout) -> list[Current]:
    """Holds that have not ended, the oldest first."""
    # Spark hands out naive times of the machine's zone.
    rows = spark.sql(statements(where)[CURRENT]).orderBy("began_at").collect()
    return [
        Current(
            noted=Noted(
                hold_id=row["hold_id"],
                job=row["job"],
                feed=row["feed"],
                reason=row["reason"],
                detail=row["detail"],
                began_at=row["began_at"].astimezone(UTC),
                source_version=row["source_version"],
                messages=row["messages"],
            ),
            entry=row["entry"],
            recorded_at=row["recorded_at"].astimezone(UTC),
        )
        for row in rows
    ]
