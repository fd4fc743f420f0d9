"""Ask for something to be done with messages, and see what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.core.records import COMMANDS
from pipeline.settings import Settings
from pipeline.tables import commands
from pipeline.tables.audit import audit
from pipeline.tables.layout import Layout, layout
from pipeline.tables.who import who


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request for something, of one message or many, and what became of it."""

    request: str
    verb: str
    feeds: tuple[str, ...]
    requested_by: str | None
    at: datetime
    wishes: int
    applied: int
    refused: int
    words: tuple[str, ...]
    """Why, where it was refused."""

    @property
    def waiting(self) -> int:
        """Wishes that nobody has answered yet."""
        return self.wishes - self.applied - self.refused


def ask(
    spark: SparkSession,
    settings: Settings,
    verb: str,
    messages: Sequence[tuple[str, str]],
    *,
    argument: dict[str, Any] | None = None,
    rebuilt: Mapping[str, commands.Rebuilt] | None = None,
) -> str:
    """Append a wish for each message (id and feed), in one commit; the request's id."""
    request = str((argument or {}).get("request") or uuid4().hex[:12])
    where = layout(settings)
    commands.wish_for(
        spark,
        where,
        verb,
        messages,
        requested_by=who(spark),
        argument={"request": request, **(argument or {})},
        rebuilt=rebuilt,
    )
    feeds = sorted({feed for _, feed in messages})
    detail = {"request": request, "messages": len(messages), "feeds": feeds}
    audit(spark, settings, "cli", f"command.{verb}", detail)
    return request


def asked(spark: SparkSession, where: Layout, limit: int) -> tuple[Asked, ...]:
    """What was asked for last, the newest first."""
    rows = where.place(COMMANDS).read(spark)
    result = (
        rows.where(F.col("entry") == "result")
        .groupBy("command_id")
        .agg(F.max_by(F.struct("status", "detail"), "recorded_at").alias("result"))
    )
    request = F.coalesce(F.get_json_object("argument", "$.request"), F.col("command_id"))
    refused = F.col("result.status") == "refused"
    found = (
        rows.where(F.col("entry") == "wish")
        .join(result, "command_id", "left")
        .groupBy(request.alias("request"))
        .agg(
            F.first("verb").alias("verb"),
            F.collect_set("feed").alias("feeds"),
            F.first("requested_by").alias("requested_by"),
            F.min("recorded_at").alias("at"),
            F.count("*").alias("wishes"),
            F.count_if(F.col("result.status") == "applied").alias("applied"),
            F.count_if(refused).alias("refused"),
            F.collect_set(F.when(refused, F.col("result.detail"))).alias("words"),
            F.count_if(F.col("verb") == "release").alias("releases"),
        )
        .orderBy(F.desc("at"))
        .limit(limit)
        .collect()
    )
    return tuple(
        Asked(
            request=row["request"],
            verb=row["verb"],
            feeds=tuple(sorted(row["feeds"])),
            requested_by=row["requested_by"],
            at=row["at"],
            wishes=row["wishes"],
            applied=row["applied"] + row["releases"],
            refused=row["refused"],
            words=tuple(sorted(row["words"])),
        )
        for row in found
    )
