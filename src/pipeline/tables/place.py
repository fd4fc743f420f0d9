"""Where a table is: a folder of Delta files, or a Unity Catalog name; the same verbs for both."""

from dataclasses import dataclass

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession


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

    def delta(self, spark: SparkSession) -> DeltaTable:
        """Delta's handle."""
        if self.path is not None:
            return DeltaTable.forPath(spark, self.path)
        return DeltaTable.forName(spark, str(self.name))

    def exists(self, spark: SparkSession) -> bool:
        """Whether there is a Delta table."""
        if self.path is not None:
            return DeltaTable.isDeltaTable(spark, self.path)
        return spark.catalog.tableExists(str(self.name))

    def version(self, spark: SparkSession) -> int:
        """The newest commit's version."""
        row = self.delta(spark).history(1).select("version").first()
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
        if self.path is not None:
            writer.save(self.path)
        else:
            writer.saveAsTable(str(self.name))
