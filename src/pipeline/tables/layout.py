"""Where the pipeline's own tables are, by settings; made in one command that can be run again."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from pipeline.core.records import FORMAT_PROPERTY, FORMAT_VERSION, TABLES, Table
from pipeline.settings import Settings
from pipeline.tables.place import Place
from pipeline.tables.refusal import TablesError
from pipeline.tables.stored import Stored, stored

CREATE_ATTEMPTS = 60
AT_ONCE: Final = 4
"""Tables that are looked at beside each other."""
_URI: Final = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A folder or a schema that holds the pipeline's tables."""

    root: str | None = None
    schema: str | None = None

    def place(self, table: Table) -> Place:
        """Where *table* is."""
        if self.root is not None:
            return Place(path=f"{_whole(self.root)}/{table.name}")
        return Place(name=f"{self.schema}.{table.name}")


def _whole(root: str) -> str:
    """A folder from the machine's root on; a URI, such as `abfss://...`, as it stands."""
    return root.rstrip("/") if _URI.match(root) else str(Path(root).resolve())


def layout(settings: Settings) -> Layout:
    """The place that the settings name."""
    return Layout(root=settings.tables.root, schema=settings.tables.schema_name)


def create_tables(spark: SparkSession, where: Layout) -> tuple[str, ...]:
    """Make what is missing; names of the tables that were made."""
    return tuple(
        table.name
        for table in TABLES
        if not where.place(table).exists(spark) and _create(spark, table, where.place(table))
    )


def _create(spark: SparkSession, table: Table, place: Place) -> bool:
    """Make a table, and see it; whether it was this process that made it.

    Another job may be making it right now: what Delta says then, and whether it shows the table at
    once, depends on how far that one is, so it is asked again for a while.
    """
    made = False
    for pause in (*[0.5] * CREATE_ATTEMPTS, None):
        try:
            spark.sql(create_statement(table, place))
            made = True
        except PySparkException:
            if pause is None:
                raise
        if pause is None or place.exists(spark):
            break
        time.sleep(pause)
    return made


def properties(table: Table) -> dict[str, str]:
    """All properties that a table gets, its format version among them."""
    return {**table.properties, FORMAT_PROPERTY: str(FORMAT_VERSION)}


def create_statement(table: Table, place: Place) -> str:
    """The SQL that makes a table, with comments and its format version."""
    columns = ",\n  ".join(
        f"`{c.name}` {c.type} COMMENT {literal(c.comment)}" for c in table.columns
    )
    partitions = (
        f"\nPARTITIONED BY ({', '.join(table.partitioned_by)})" if table.partitioned_by else ""
    )
    listed = ", ".join(f"{literal(k)} = {literal(v)}" for k, v in sorted(properties(table).items()))
    return (
        f"CREATE TABLE IF NOT EXISTS {place.sql} (\n  {columns}\n) USING DELTA{partitions}\n"
        f"COMMENT {literal(table.comment)}\nTBLPROPERTIES ({listed})"
    )


def check_tables(spark: SparkSession, where: Layout, *, make: bool = False) -> None:
    """Refuse tables that are missing, of another format, or without a column of this version.

    With *make*, those that are missing are made instead.

    Raises:
        TablesError: with the command that makes or migrates them.
    """

    def check(table: Table) -> str | None:
        place = where.place(table)
        found = stored(spark, place)
        if found is None and make:
            _create(spark, table, place)
            found = stored(spark, place)
        reason = misfit(table, found)
        return None if reason is None else f"{place}: {reason}"

    # Each question waits for Spark most of the time, and a restart asks two a table.
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        reasons = [reason for reason in pool.map(check, TABLES) if reason is not None]
    if reasons:
        raise TablesError("\n".join(reasons))


def misfit(table: Table, found: Stored | None) -> str | None:
    """Why a table can't be worked with, and the command to run; None when it can."""
    if found is None:
        return "there is no such table; run: pipeline tables create"
    if found.format != str(FORMAT_VERSION):
        what = f"its format is {found.format}, this version of the pipeline works with"
        later = (found.format or "").isdecimal() and int(found.format or 0) > FORMAT_VERSION
        todo = "install the version that made it" if later else "run: pipeline tables migrate"
        return f"{what} {FORMAT_VERSION}; stop the jobs and {todo}"
    missing = [c.name for c in table.columns if c.name not in found.types]
    if missing:
        return (
            f"it lacks {', '.join(missing)}, which this version writes; stop the jobs and run: "
            "pipeline tables migrate"
        )
    return None


def literal(text: str) -> str:
    """A string as SQL writes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
