"""Small source tables and the way from their changes to drafts, as the tests here need them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from pipeline.core.feed import Feed, parse_feed
from pipeline.source.check import check_feed
from pipeline.source.checked import CheckedFeed
from pipeline.source.draft import drafts
from pipeline.source.isolated import Isolated
from pipeline.source.locate import SourceTable
from pipeline.source.net import net
from pipeline.source.readable import read_changes


class Source:
    """One Delta table with a change feed, and the feeds that a test reads it with."""

    def __init__(self, spark: SparkSession, folder: Path, ddl: str) -> None:
        self.spark = spark
        self.path = str(folder)
        self.table = SourceTable(path=self.path)
        self.ddl = ddl
        self.sql(
            f"CREATE TABLE {{t}} ({ddl}) USING delta TBLPROPERTIES "
            "(delta.enableChangeDataFeed = true, delta.columnMapping.mode = 'name')"
        )

    def sql(self, text: str) -> None:
        """Run one statement; {t} stands for the table."""
        self.spark.sql(text.replace("{t}", self.table.sql))

    def append(self, *rows: Sequence[Any]) -> None:
        """Insert rows as one commit."""
        frame = self.spark.createDataFrame([tuple(row) for row in rows], self.ddl)
        frame.coalesce(1).write.format("delta").mode("append").save(self.path)

    def overwrite(self, *rows: Sequence[Any]) -> None:
        """Replace all rows in one commit."""
        frame = self.spark.createDataFrame([tuple(row) for row in rows], self.ddl)
        frame.coalesce(1).write.format("delta").mode("overwrite").save(self.path)

    def changes(self, first: int = 1, last: int | None = None) -> DataFrame:
        """The change feed from version *first* on; 0 made the table."""
        if last is None:
            last = self.spark.sql(f"DESCRIBE HISTORY {self.table.sql} LIMIT 1").collect()[0][0]
        return read_changes(self.spark, self.table, first, last)

    def check(self, feed: Feed) -> CheckedFeed:
        return check_feed(self.spark, feed, self.table)

    def drafts(
        self, feed: Feed, *, isolated: Isolated | None = None, changes: DataFrame | None = None
    ) -> list[Row]:
        """The drafts of all changes, in the order in which they are sent."""
        netted = net(changes if changes is not None else self.changes(), feed)
        return drafts(netted, self.check(feed), partitions=1, isolated=isolated).collect()

    @staticmethod
    def feed_of(text: str) -> Feed:
        """A feed from YAML; source and start are of no matter here."""
        return parse_feed(f"source: table\nstart: snapshot\n{text}", file="conf/feeds/test.yml")

    @staticmethod
    def body_of(row: Row) -> Any:
        """A draft's body as a value, without the id."""
        assert (
            row.body.startswith('{"messageId":"00000000000000000000000000",') or row.stage == "map"
        )
        assert row.body.endswith("},")
        body = json.loads(row.body[:-1])
        body.pop("messageId", None)
        return body


@pytest.fixture
def source(spark: SparkSession, tmp_path: Path) -> Callable[[str], Source]:
    """Makes a table from its DDL."""
    return lambda ddl: Source(spark, tmp_path / "table", ddl)
