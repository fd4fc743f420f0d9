"""Where a table is: a folder of Delta files, or a Unity Catalog name; the same verbs for both."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession

from pipeline.tables.session import EMPTY_AHEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A Delta table by path or by name; exactly one of them is given."""

    path: str | None = None
    name: str | None = None

    @property
    def sql(self) -> str:
        """How SQL names it."""
        if self.path is not None:
            return f"delta.`{self.path}`"
        return ".".join(f"`{part}`" for part in (self.name or "").split("."))

    def __str__(self) -> str:
        """How people name it."""
        return self.path or self.name or "?"

    def exists(self, spark: SparkSession) -> bool:
        """Whether there is a Delta table."""
        if self.path is None:
            return spark.catalog.tableExists(str(self.name))
        return self.properties(spark) is not None

    def properties(self, spark: SparkSession) -> dict[str, str] | None:
        """The table's properties; None where there is no Delta table."""
        if self.path is None and not self.exists(spark):
            return None
        try:
            rows = spark.sql(f"SHOW TBLPROPERTIES {self.sql}").collect()
        except AnalysisException:
            if self.path is None:
                raise
            return None
        return {row["key"]: row["value"] for row in rows}

    def version(self, spark: SparkSession) -> int:
        """The newest commit's version."""
        row = spark.sql(f"DESCRIBE HISTORY {self.sql} LIMIT 1").first()
        if row is None:
            raise LookupError(f"{self}: the table has no history")
        return int(row["version"])

    def read(self, spark: SparkSession, version: int | None = None) -> DataFrame:
        """All rows, as of *version* where one is given."""
        reader = spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(self.path) if self.path is not None else reader.table(str(self.name))

    def changes(self, spark: SparkSession, first: int, last: int | None = None) -> DataFrame:
        """Rows of the change feed from version *first* to *last*, or to the newest.

        Nothing where *first* is not there yet.
        """
        if spark.conf.get(EMPTY_AHEAD, "false") != "true":  # a platform may refuse the setting
            newest = self.version(spark)
            if first > newest:
                return self._changes(spark, newest, newest).limit(0)
        return self._changes(spark, first, last)

    def _changes(self, spark: SparkSession, first: int, last: int | None) -> DataFrame:
        reader = (
            spark.read.format("delta")
            .option("readChangeFeed", "true")
            .option("startingVersion", first)
        )
        if last is not None:
            reader = reader.option("endingVersion", last)
        return reader.load(self.path) if self.path is not None else reader.table(str(self.name))

    def append(self, rows: DataFrame, *, app: str | None = None, txn: int | None = None) -> None:
        """Append in one commit. With *app* and *txn*, Delta skips it where *app* is as far."""
        writer = rows.write.format("delta").mode("append")
        if app is not None and txn is not None:
            writer = writer.option("txnAppId", app).option("txnVersion", str(txn))
        self._save(writer)

    def replace(self, rows: DataFrame, condition: str) -> None:
        """Write *rows* in place of those for which *condition*, SQL, holds, in one commit.

        What *rows* reads of this table is read in the transaction that replaces it.
        """
        writer = rows.write.format("delta").mode("overwrite")
        self._save(writer.option("replaceWhere", condition))

    def _save(self, writer: DataFrameWriter) -> None:
        if self.path is not None:
            writer.save(self.path)
        else:
            writer.saveAsTable(str(self.name))

    def update(self, spark: SparkSession, condition: str, values: Mapping[str, str]) -> None:
        """Change rows in place; condition and values are SQL."""
        listed = ", ".join(f"`{column}` = {value}" for column, value in values.items())
        spark.sql(f"UPDATE {self.sql} SET {listed} WHERE {condition}")

    def merge(self, spark: SparkSession, rows: DataFrame, clauses: str) -> None:
        """MERGE *rows*, which SQL calls `s`, into this table, `q`, in one commit.

        In SQL, since the Python API of Delta needs a plugin on a Spark Connect server.
        """
        name = f"merge_{uuid4().hex}"
        rows.createOrReplaceTempView(name)
        try:
            spark.sql(f"MERGE INTO {self.sql} AS q USING {name} AS s {clauses}")
        finally:
            spark.catalog.dropTempView(name)


def assignments(values: Mapping[str, str]) -> str:
    """`column = value` for a MERGE's UPDATE."""
    return ", ".join(f"q.`{column}` = {value}" for column, value in values.items())


def insertion(values: Mapping[str, str]) -> str:
    """`(columns) VALUES (values)` for a MERGE's INSERT."""
    columns = ", ".join(f"`{column}`" for column in values)
    return f"({columns}) VALUES ({', '.join(values.values())})"
