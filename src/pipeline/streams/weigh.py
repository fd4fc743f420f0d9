"""How many rows make a slice follows from how large they are.

Tasks hold a slice in memory, several times over while they seal and send it. Small rows come by the
million, where a slice's fixed part would be most of its time; large ones must not.
"""

from collections.abc import Callable
from typing import Final

import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pipeline.settings import Settings
from pipeline.source.net import METADATA, quoted
from pipeline.source.rules import value_bytes

SAMPLE: Final = 1_000
"""Rows that are weighed."""
NUMBER: Final = 10
"""Digits of a number or a time, roughly."""


def few(settings: Settings) -> int:
    """So many calls need not be weighed: not even the largest would be too much together."""
    return max(settings.delivery.slice_bytes // settings.limits.call_bytes, 1)


def rows_a_slice(
    settings: Settings, most: int, calls: int, weight: Callable[[], float], each: float = 1.0
) -> int:
    """At most *most* rows, of which *each* becomes so many of the *calls*, of *weight* bytes.

    No more than `delivery.slice_bytes` holds; and no fewer than it would hold of the largest calls:
    what is larger is not sent, or not all of it is. The weight is not asked for where the calls are
    few.
    """
    if calls <= few(settings):
        return most
    held = settings.delivery.slice_bytes / (max(weight(), 1.0) * each)
    return min(most, max(int(max(held, few(settings) / each)), 1))


def weigh(rows: DataFrame, size: Column) -> float:
    """Bytes of a row, on the average of the first of them; 0 where none has a size."""
    found = rows.select(size.cast("double").alias("size")).limit(SAMPLE).toArrow()["size"]
    return pc.mean(found).as_py() or 0.0


def of_change(schema: T.StructType) -> Column:
    """The size of a change, as JSON would be, roughly; no type of a column is too odd for it."""
    sizes = [_size(field) for field in schema.fields if field.name not in METADATA]
    return sum(sizes, start=F.lit(0))


def of_message() -> Column:
    """The size of a message that waits, as the retry queue has it: encrypted."""
    return F.octet_length("payload")


def _size(field: T.StructField) -> Column:
    name = len(field.name) + len('"":"",')
    value = value_bytes(quoted(field.name), field.dataType, nulls=False)
    return F.lit(name + NUMBER) if value is None else F.coalesce(value + name, F.lit(0))
