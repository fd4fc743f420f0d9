"""A feed that was held against its table: what the rest of `source` works with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import types as T

from pipeline.core.api.limits import Limits
from pipeline.core.feed import Feed, Operation
from pipeline.source.locate import SourceTable


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFeed:
    """A feed, its table, and what was found out about both before the stream starts."""

    feed: Feed
    table: SourceTable
    table_id: str
    """Delta's id; part of every message id."""
    schema: T.StructType
    """The table's own columns."""
    types: Mapping[tuple[Operation, int], Mapping[str, T.DataType]]
    """Of each call, by operation and place: the types of its traits or properties by name."""
    limits: Limits
    consents: SourceTable | None = None
    """Where the feed's consent table is, if it has one."""
    fallible: bool
    """An expression may raise for some rows, so those are looked for first (`isolate`)."""
    columns: dict[bool, Any] = field(default_factory=dict, compare=False, repr=False)
    """What `draft` made of all this once, for each micro-batch: a thousand calls to Java."""
