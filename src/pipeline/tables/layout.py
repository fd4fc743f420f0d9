"""Where the pipeline's own tables are, by settings; made in one command that can be run again."""

import time
from dataclasses import dataclass
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from pipeline.core.records import FORMAT_PROPERTY, FORMAT_VERSION, TABLES, Table
from pipeline.settings import Settings
from pipeline.tables.place import Place
from pipeline.tables.refusal import TablesError


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A folder or a schema that holds the pipeline's tables."""

    root: str | None = None
    schema: str | None = None

    def place(self, table: Table) -> Place:
        """Where *table* is."""
        if self.root is not None:
            return Place(path=str(Path(self.root).resolve() / table.name))
        return Place(name=f"{self.schema}.{table.name}")


def layout(settings: Settings) -> Layout:
    """The place that the settings name."""
    return Layout(root=settings.tables.root, schema=settings.tables.schema_name)


def create_tables(spark: SparkSession, where: Layout) -> tuple[str, ...]:
    """Make what is missing; names of the tables that were made."""
    made = []
    for table in TABLES:
        place = where.place(table)
        if not place.exists(spark):
            try:
                spark.sql(create_statement(table, place))
            except AnalysisException:
                if not _appears(spark, place):  # another job may be making it right now
                    raise
            else:
                made.append(table.name)
    return tuple(made)


def _appears(spark: SparkSession, place: Place) -> bool:
    """Whether the table is there soon."""
    for _ in range(20):
        if place.exists(spark):
            return True
        time.sleep(0.5)
    return False


def create_statement(table: Table, place: Place) -> str:
    """The SQL that makes a table, with comments and its format version."""
    columns = ",\n  ".join(
        f"`{c.name}` {c.type} COMMENT {_quoted(c.comment)}" for c in table.columns
    )
    partitions = (
        f"\nPARTITIONED BY ({', '.join(table.partitioned_by)})" if table.partitioned_by else ""
    )
    properties = {**table.properties, FORMAT_PROPERTY: str(FORMAT_VERSION)}
    listed = ", ".join(f"{_quoted(k)} = {_quoted(v)}" for k, v in sorted(properties.items()))
    return (
        f"CREATE TABLE IF NOT EXISTS {place.sql} (\n  {columns}\n) USING DELTA{partitions}\n"
        f"COMMENT {_quoted(table.comment)}\nTBLPROPERTIES ({listed})"
    )


def check_tables(spark: SparkSession, where: Layout) -> None:
    """Refuse tables that are missing or of another format.

    Raises:
        TablesError: with the command that makes or migrates them.
    """
    for table in TABLES:
        place = where.place(table)
        if not place.exists(spark):
            raise TablesError(f"{place}: there is no such table; run: pipeline tables create")
        properties = spark.sql(f"SHOW TBLPROPERTIES {place.sql}").collect()
        found = next((r["value"] for r in properties if r["key"] == FORMAT_PROPERTY), None)
        if found != str(FORMAT_VERSION):
            raise TablesError(
                f"{place}: its format is {found}, this version of the pipeline reads and writes "
                f"{FORMAT_VERSION}; install the version that made it, or start with new tables"
            )


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
