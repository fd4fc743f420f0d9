"""How many rows make a slice follows from how large they are.

Tasks hold a slice in memory, several times over while they seal and send it. Small rows come by
the million, where a slice's fixed part would be most of its time; large ones must not.
"""

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipeline.settings import Settings
from pipeline.source.net import quoted, source_columns

SAMPLE: Final = 1_000
"""Rows that are weighed."""


def few(settings: Settings) -> int:
    """So many rows need not be weighed: not even the largest calls would be too much together."""
    return max(settings.delivery.slice_bytes // settings.limits.call_bytes, 1)


def rows_a_slice(settings: Settings, most: int, weight: float) -> int:
    """At most *most* rows of *weight* bytes each, and no more than `delivery.slice_bytes` holds."""
    return min(most, max(few(settings), int(settings.delivery.slice_bytes / max(weight, 1.0))))


def weigh(rows: DataFrame, size: Column) -> float:
    """Bytes of a row, on the average of the first of them; 0 where none has a size."""
    found = rows.select(size.alias("size")).limit(SAMPLE).agg(F.avg("size").alias("mean")).first()
    return (found["mean"] if found is not None else None) or 0.0


def of_change(changes: DataFrame) -> Column:
    """The size of a change as JSON, which is near that of its call, whatever its types."""
    columns = (quoted(name) for name in source_columns(changes))
    return F.octet_length(F.to_json(F.struct(*columns)))


def of_message() -> Column:
    """The size of a message that waits, as the retry queue has it: encrypted."""
    return F.octet_length("payload")
