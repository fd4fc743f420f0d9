"""Propose a feed file for a table: from its columns, and from what a few of its rows hold."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pipeline.core.feed_model import FeedError
from pipeline.core.feed_proposal import Column, propose
from pipeline.settings import Settings
from pipeline.source.check import CDF_PROPERTY
from pipeline.source.locate import locate, table_detail
from pipeline.source.net import quoted

SAMPLED: Final = 1_000
"""Rows that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A feed's text, and what has to be done at the table first."""

    text: str
    to_do: tuple[str, ...]


def propose_for(spark: SparkSession, settings: Settings, source: str) -> Proposal:
    """A commented feed for the table *source*; its text is to be read before it is used.

    Raises:
        FeedError: there is no such table, or a relative one and no root in the settings.
    """
    table = locate(source, root=settings.sources.root, file="feed init")
    try:
        frame = table.read(spark.read)
    except AnalysisException as error:
        raise FeedError(
            f"--table {source}: {table.sql} is no Delta table that can be read "
            f"({error.getCondition()}); correct it, or sources.root (--set sources.root=...)"
        ) from error
    rows = frame.limit(SAMPLED).select(
        *(F.col(f.name if f.name.isidentifier() else f"`{f.name}`") for f in frame.schema.fields)
    )
    counted = rows.agg(
        F.count("*").alias("rows"),
        *(
            F.count_distinct(quoted(f.name).cast("string")).alias(f"d{i}")
            if _simple(f.dataType)
            else F.lit(0).alias(f"d{i}")
            for i, f in enumerate(frame.schema.fields)
        ),
    ).collect()[0]
    texts = _texts(rows.limit(20).collect(), frame.schema.names)
    columns = [
        Column(
            name=f.name,
            type=f.dataType.simpleString(),
            distinct=counted[f"d{i}"] if _simple(f.dataType) else None,
            samples=texts[f.name],
        )
        for i, f in enumerate(frame.schema.fields)
    ]
    properties: Mapping[str, str] = table_detail(spark, table)["properties"] or {}
    to_do = []
    if str(properties.get(CDF_PROPERTY, "false")).lower() != "true":
        to_do.append(f"ALTER TABLE {table.sql} SET TBLPROPERTIES ({CDF_PROPERTY} = true)")
    return Proposal(text=propose(source, columns, counted["rows"]), to_do=tuple(to_do))


def _simple(type_: T.DataType) -> bool:
    return not isinstance(
        type_, T.StructType | T.ArrayType | T.MapType | T.BinaryType | T.VariantType
    )


def _texts(rows: Sequence[Any], names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(
            row[i] if isinstance(row[i], str) else json.dumps(row[i], default=str)
            for row in rows
            if row[i] is not None
        )
        for i, name in enumerate(names)
    }
