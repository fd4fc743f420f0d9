"""Columns of a source whose type became another one: what a feed sends would silently change."""

import re
from collections.abc import Iterator

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from pipeline.core.feed import Feed
from pipeline.source.checked import CheckedFeed

WHOLE, BROKEN = ("tinyint", "smallint", "int", "bigint"), ("float", "double")
"""Each is a wider one of those before it: the same numbers come out."""


def retyped(spark: SparkSession, checked: CheckedFeed, version: int) -> tuple[str, ...]:
    """What columns that the feed uses were at source version *version*, and are now.

    Nothing where that version can no longer be read.
    """
    try:
        reader = spark.read.option("versionAsOf", version)
        before = checked.table.read(reader).schema
    except PySparkException:
        return ()
    return tuple(differences(checked.feed, before, checked.schema))


def differences(feed: Feed, before: T.StructType, now: T.StructType) -> Iterator[str]:
    """One text a column that both have, that the feed uses, and that holds other values now."""
    known = {field.name.lower(): field.dataType.simpleString() for field in before.fields}
    words = {name.lower() for name in feed.row_key}
    for _, text in feed.expressions():
        words.update(re.findall(r"\w+", text.lower()))
    for field in now.fields:
        name, is_ = field.name, field.dataType.simpleString()
        was = known.get(name.lower(), is_)
        used = set(re.findall(r"\w+", name.lower())) <= words
        if used and was != is_ and not _wider(was, is_):
            yield f"column {name} was {was} and is {is_}"


def _wider(was: str, is_: str) -> bool:
    return any(
        was in kinds and is_ in kinds and kinds.index(was) < kinds.index(is_)
        for kinds in (WHOLE, BROKEN)
    )
