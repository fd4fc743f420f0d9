"""Open net changes so that a feed's expressions find what they name.

The row's columns stand at the top; `before.<column>` is the image before, null but for updates;
`change.operation`, `change.version`, `change.committed_at` tell of the change. A column of the
table that is itself named `before` or `change` wins.
"""

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pipeline.source.net import quoted

PREFIX: Final = "__pipeline_"
"""Our own columns start with this; a table's may not."""
OPERATION: Final = f"{PREFIX}operation"
VERSION: Final = f"{PREFIX}version"
COMMITTED_AT: Final = f"{PREFIX}committed_at"
KEY: Final = f"{PREFIX}key"
ORDINAL: Final = f"{PREFIX}ordinal"
BEFORE: Final = f"{PREFIX}before"
CHANGE: Final = f"{PREFIX}change"
_ROW: Final = f"{PREFIX}row"


def open_changes(netted: DataFrame, schema: T.StructType, *extra: Column) -> DataFrame:
    """Net changes with the row's columns at the top; *extra* columns come along."""
    change = F.struct(
        F.col("operation"),
        F.col("source_version").alias("version"),
        F.col("committed_at"),
    )
    return netted.select(
        F.col("operation").alias(OPERATION),
        F.col("source_version").alias(VERSION),
        F.col("committed_at").alias(COMMITTED_AT),
        F.col("key").alias(KEY),
        F.col("ordinal").alias(ORDINAL),
        F.col("before").alias(BEFORE),
        change.alias(CHANGE),
        *_words(schema, F.col("before"), change),
        *extra,
        *_spread(F.col("row"), schema),
    )


def with_before(opened: DataFrame, schema: T.StructType, columns: dict[str, Column]) -> DataFrame:
    """Opened changes with *columns* evaluated over the image before in place of the row."""
    if not columns:
        return opened
    ours = [name for name in opened.columns if name.startswith(PREFIX)]
    kept = [quoted(name) for name in ours]
    row = F.struct(*(quoted(name).alias(name) for name in schema.names))
    words = _words(schema, F.col(BEFORE), F.col(CHANGE))
    no_before = F.when(F.lit(False), F.col(BEFORE))
    return (
        opened.select(*kept, row.alias(_ROW))
        .select(
            *kept,
            _ROW,
            *_words(schema, no_before, F.col(CHANGE)),
            *_spread(F.col(BEFORE), schema),
        )
        .select(*kept, _ROW, *(column.alias(name) for name, column in columns.items()))
        .select(*kept, *columns, *words, *_spread(F.col(_ROW), schema))
    )


def _spread(row: Column, schema: T.StructType) -> tuple[Column, ...]:
    return tuple(row.getField(name).alias(name) for name in schema.names)


def _words(schema: T.StructType, before: Column, change: Column) -> tuple[Column, ...]:
    """The columns `before` and `change`, where the table has none of that name."""
    own = {name.lower() for name in schema.names}
    words = (("before", before), ("change", change))
    return tuple(column.alias(word) for word, column in words if word not in own)
