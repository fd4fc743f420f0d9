"""Where a source table is, and how it is read: by path or by name, the same way."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pyspark.sql import DataFrame, DataFrameReader, Row, SparkSession
from pyspark.sql.streaming.readwriter import DataStreamReader

from pipeline.core.feed import FeedError

_NAME: Final = re.compile(r"^[^./:]+\.[^./:]+(\.[^./:]+)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """A Delta table by path or by name; exactly one of the two is given."""

    path: str | None = None
    name: str | None = None

    @property
    def sql(self) -> str:
        """The table as SQL names it."""
        if self.path is not None:
            return f"delta.{_quoted(self.path)}"
        return ".".join(_quoted(part) for part in str(self.name).split("."))

    def read(self, reader: DataFrameReader) -> DataFrame:
        """Load the table with *reader*'s options."""
        reader = reader.format("delta")
        return reader.load(self.path) if self.path is not None else reader.table(str(self.name))

    def stream(self, reader: DataStreamReader) -> DataFrame:
        """Stream the table with *reader*'s options."""
        reader = reader.format("delta")
        return reader.load(self.path) if self.path is not None else reader.table(str(self.name))


def locate(source: str, *, root: str | None, file: str) -> SourceTable:
    """Tell where a feed's `source` is: an absolute path or URI, a name, or a path below *root*.

    Where *root* is a schema, `source` is the name of a table in it.

    Raises:
        FeedError: it is relative and the settings name no root.
    """
    if source.startswith(("/", "dbfs:")) or "://" in source:
        return SourceTable(path=source)
    if _NAME.match(source):
        return SourceTable(name=source)
    if root is None:
        raise FeedError(
            f"{file}: source: {source} is a relative path and sources.root is not set; "
            "set it, or give catalog.schema.table or an absolute path"
        )
    if _NAME.match(root):
        return SourceTable(name=f"{root}.{source}")
    if "://" not in root and not root.startswith(("/", "dbfs:")):
        root = str(Path(root).resolve())  # SQL takes a relative path for a table's name
    return SourceTable(path=f"{root.rstrip('/')}/{source}")


def table_detail(spark: SparkSession, table: SourceTable) -> Row:
    """Delta's own account of the table: id, properties, location, ..."""
    return spark.sql(f"DESCRIBE DETAIL {table.sql}").collect()[0]


def table_id(spark: SparkSession, table: SourceTable) -> str:
    """Delta's id of the table: another one after it was dropped and made anew."""
    return str(table_detail(spark, table)["id"])


def _quoted(part: str) -> str:
    return "`" + part.replace("`", "``") + "`"
