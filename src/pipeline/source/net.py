"""The net effect of each commit on each row key: insert, update with both images, or delete.

Within a commit, a delete and an insert of one key are an update, so that an INSERT OVERWRITE is
not everybody's deletion; a changed key is a delete of the old one and an insert of the new.
"""

from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pipeline.core.feed import Feed

CHANGE_TYPE: Final = "_change_type"
VERSION: Final = "_commit_version"
TIMESTAMP: Final = "_commit_timestamp"
METADATA: Final = (CHANGE_TYPE, VERSION, TIMESTAMP)
"""Columns that a change feed adds to the table's own."""

KEY_OPTIONS: Final = {
    "ignoreNullFields": "false",
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
}
"""Keys keep nulls and microseconds: two rows that differ are not one."""

PLAIN_TEXT: Final = r"\A[ !#-\[\]-~]*\z"
"""Printable ASCII without quote and backslash: JSON has it as it stands."""

_HASH, _IS_POST, _KEY, _PLACE, _PRES, _SIZE = (
    f"__pipeline_{name}" for name in ("hash", "is_post", "key", "place", "pres", "size")
)


def source_columns(changes: DataFrame) -> tuple[str, ...]:
    """The table's own columns of a change feed."""
    return tuple(name for name in changes.columns if name not in METADATA)


def net(
    changes: DataFrame, feed: Feed, *, partitions: int = 2, unique_inserts: bool = False
) -> DataFrame:
    """One row a net change: operation, source_version, committed_at, key, ordinal, row, before.

    *key* is the row key as JSON, or the row's hash. *ordinal* numbers the rows of one key and
    side within a commit by content hash. *before* is null but for updates. One shuffle; none
    with *unique_inserts*, which is for changes that `count_changes` found to be inserts of
    different keys, and gives the same result.
    """
    columns = source_columns(changes)
    if unique_inserts:
        return _as_inserts(changes, feed, columns)
    row = _row(columns)
    sided = changes.select(
        *(quoted(name) for name in columns),
        VERSION,
        TIMESTAMP,
        (~F.col(CHANGE_TYPE).isin("delete", "update_preimage")).alias(_IS_POST),
        key(changes.schema, feed).alias(_KEY),
    ).withColumn(_HASH, F.xxhash64(_KEY, VERSION))
    # The hash comes first: sorts compare its 64 bits and rarely look at the key's text.
    one_key = Window.partitionBy(_HASH, _KEY, VERSION).orderBy(
        _IS_POST, content_hash(changes.schema)
    )
    whole = one_key.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    pre_image = F.when(~F.col(_IS_POST), row)
    numbered = sided.repartition(partitions, _HASH).select(
        "*",
        F.row_number().over(one_key).alias(_PLACE),
        F.collect_list(pre_image).over(whole).alias(_PRES),
        F.count(F.lit(1)).over(whole).alias(_SIZE),
    )
    pres = F.size(_PRES)
    ordinal = F.col(_PLACE) - 1 - F.when(F.col(_IS_POST), pres).otherwise(0)
    is_update = ordinal < F.least(pres, (F.col(_SIZE) - pres).cast("int"))
    operation = F.when(is_update, "update").when(F.col(_IS_POST), "insert").otherwise("delete")
    # The image before goes into its update's row.
    return numbered.where(F.col(_IS_POST) | ~is_update).select(
        operation.alias("operation"),
        F.col(VERSION).alias("source_version"),
        F.col(TIMESTAMP).alias("committed_at"),
        F.col(_KEY).alias("key"),
        ordinal.alias("ordinal"),
        row.alias("row"),
        F.when(is_update, F.get(F.col(_PRES), ordinal)).alias("before"),
    )


def _as_inserts(changes: DataFrame, feed: Feed, columns: tuple[str, ...]) -> DataFrame:
    row = _row(columns)
    return changes.select(
        F.lit("insert").alias("operation"),
        F.col(VERSION).alias("source_version"),
        F.col(TIMESTAMP).alias("committed_at"),
        key(changes.schema, feed).alias("key"),
        F.lit(0).alias("ordinal"),
        row.alias("row"),
        F.when(F.lit(False), row).alias("before"),
    )


def key(schema: T.StructType, feed: Feed) -> Column:
    """The row key as JSON with its nulls; for a feed without one, SHA-256 of the whole row."""
    if feed.row_key:
        whole = F.to_json(_row(feed.row_key), KEY_OPTIONS)
        if len(feed.row_key) == 1:
            return _quick_key(schema, feed.row_key[0], whole)
        return whole
    columns = tuple(name for name in schema.names if name not in METADATA)
    return F.sha2(F.to_json(_row(columns), KEY_OPTIONS), 256)


def _quick_key(schema: T.StructType, name: str, whole: Column) -> Column:
    """*whole* without a JSON generator, where the key is one text that needs no escapes."""
    if schema[name].dataType != T.StringType() or not name.isidentifier():
        return whole
    plain = F.concat(F.lit(f'{{"{name}":"'), quoted(name), F.lit('"}'))
    return F.when(quoted(name).rlike(PLAIN_TEXT), plain).otherwise(whole)


def content_hash(schema: T.StructType) -> Column:
    """A hash of the row's own columns; of their JSON where a type has no hash."""
    fields = [field for field in schema.fields if field.name not in METADATA]
    columns = tuple(field.name for field in fields)
    if any(_unhashable(field.dataType) for field in fields):
        return F.xxhash64(F.to_json(_row(columns), KEY_OPTIONS))
    return F.xxhash64(*(quoted(name) for name in columns))


def quoted(name: str) -> Column:
    """A top-level column, whatever is in its name."""
    return F.col(backticked(name))


def backticked(name: str) -> str:
    """The same in SQL."""
    return "`" + name.replace("`", "``") + "`"


def _row(columns: tuple[str, ...]) -> Column:
    return F.expr(f"struct({', '.join(map(backticked, columns))})")


def _unhashable(type_: T.DataType) -> bool:
    match type_:
        case T.StructType(fields=fields):
            return any(_unhashable(field.dataType) for field in fields)
        case T.ArrayType(elementType=element):
            return _unhashable(element)
        case T.MapType() | T.VariantType():
            return True
        case _:
            return False
