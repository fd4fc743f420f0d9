"""Whether a feed's expressions may raise for some rows."""

from pyspark.sql import types as T

from pipeline.core.feed import Feed


def can_raise(feed: Feed, schema: T.StructType) -> bool:
    """Whether an expression may raise; assumed until it is proven that none can."""
    return bool(schema.fields) and any(True for _ in feed.expressions())
