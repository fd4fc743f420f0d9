"""Bring the pipeline's tables from where they are to what this version writes.

Each step is one commit and says the same when it is taken twice, and a table's format property
changes last: a migration that was interrupted is repeated as if nothing had happened.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pyspark.sql import SparkSession

from pipeline.core.records import FORMAT_PROPERTY, FORMAT_VERSION, LEASES, TABLES, Table
from pipeline.log import logger
from pipeline.tables.layout import Layout, create_statement, literal, properties
from pipeline.tables.leases import holders
from pipeline.tables.place import Place
from pipeline.tables.refusal import TablesError
from pipeline.tables.stored import Stored, shape, stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One statement that brings a table nearer."""

    table: str
    what: str
    sql: str


def _same(_: Table, __: Place) -> tuple[Step, ...]:
    return ()


FROM: Final[Mapping[int, Callable[[Table, Place], tuple[Step, ...]]]] = {
    # Format 2 says that whoever opens the tables knows marks of erasure: a job of format 1 would
    # send for an erased person. What it adds are columns and tables, which need no step of theirs.
    1: _same,
    # Format 3 says that whoever reads outcomes knows packed rows: to a job of format 2 what they
    # hold would have no outcome, so it would send it again. Rows of one message stay what they are.
    2: _same,
}
"""What rows of a format need to be of the next one, beside new columns and tables."""


def migrate(spark: SparkSession, where: Layout, *, stopped: bool = False) -> tuple[Step, ...]:
    """Take all steps that are left; the steps. Nothing where the tables are as they should be.

    Args:
        spark: The session.
        where: The tables.
        stopped: No job runs, whatever the leases say: one that crashed never gave its lease back.

    Raises:
        TablesError: a table was made by a later version, differs in a way that no step mends, or
            a job may be running: an append under way would fail after it was sent.
    """
    found = {table.name: stored(spark, where.place(table)) for table in TABLES}
    left = tuple(
        step
        for table in TABLES
        for step in steps(table, where.place(table), found[table.name])
        + shaping(spark, table, where.place(table), found[table.name])
    )
    if any(found[step.table] is not None for step in left) and not stopped:
        _refuse_running(spark, where, found[LEASES.name])
    for step in left:
        spark.sql(step.sql)
        logger(table=step.table).info("table.migrated", step=step.what)
    return left


def steps(table: Table, place: Place, found: Stored | None) -> tuple[Step, ...]:
    """What is left to do for columns, properties and format; in order.

    Raises:
        TablesError: see `migrate`.
    """
    if found is None:
        return (Step(table=table.name, what="make", sql=create_statement(table, place)),)
    return (
        *_rows(table, place, found),
        *_columns(table, place, found),
        *_format(table, place, found),
    )


def shaping(
    spark: SparkSession, table: Table, place: Place, found: Stored | None
) -> tuple[Step, ...]:
    """The table's comment; a different partitioning is refused, since all files would change."""
    if found is None:
        return ()
    comment, partitioned_by = shape(spark, place)
    if partitioned_by != table.partitioned_by:
        raise TablesError(
            f"{place}: it is partitioned by {partitioned_by or 'nothing'}, not by "
            f"{table.partitioned_by or 'nothing'}; no migration changes that: was it made by "
            "something else than this pipeline?"
        )
    if comment == table.comment:
        return ()
    sql = f"COMMENT ON TABLE {place.sql} IS {literal(table.comment)}"
    return (Step(table=table.name, what="comment", sql=sql),)


def _rows(table: Table, place: Place, found: Stored) -> tuple[Step, ...]:
    format_ = found.format
    if format_ is None or not format_.isdecimal():
        raise TablesError(
            f"{place}: it has no {FORMAT_PROPERTY} property, so it is none of the pipeline's; "
            "point tables.root or tables.schema_name elsewhere, or drop it"
        )
    if int(format_) > FORMAT_VERSION:
        raise TablesError(
            f"{place}: its format is {format_}, a later version of the pipeline made it; this one "
            f"reads and writes {FORMAT_VERSION}: install the later version"
        )
    return tuple(
        step
        for version in range(int(format_), FORMAT_VERSION)
        for step in FROM[version](table, place)
    )


def _columns(table: Table, place: Place, found: Stored) -> tuple[Step, ...]:
    for column in table.columns:
        if found.types.get(column.name, column.type) != column.type:
            raise TablesError(
                f"{place}: column {column.name} is {found.types[column.name]}, expected "
                f"{column.type}; no migration changes a type: was the table altered by hand?"
            )
    new = [column for column in table.columns if column.name not in found.types]
    left = []
    if new:
        listed = ", ".join(f"`{c.name}` {c.type} COMMENT {literal(c.comment)}" for c in new)
        names = ", ".join(c.name for c in new)
        sql = f"ALTER TABLE {place.sql} ADD COLUMNS ({listed})"
        left.append(Step(table=table.name, what=f"add {names}", sql=sql))
    left += [
        Step(
            table=table.name,
            what=f"comment of {c.name}",
            sql=f"ALTER TABLE {place.sql} ALTER COLUMN `{c.name}` COMMENT {literal(c.comment)}",
        )
        for c in table.columns
        if c not in new and found.comments.get(c.name) != c.comment
    ]
    return tuple(left)


def _format(table: Table, place: Place, found: Stored) -> tuple[Step, ...]:
    """Properties, the format's among them: in one commit, the last."""
    wanted = properties(table)
    changed = {name: value for name, value in wanted.items() if found.properties.get(name) != value}
    if not changed:
        return ()
    listed = ", ".join(f"{literal(k)} = {literal(v)}" for k, v in sorted(changed.items()))
    names = ", ".join(sorted(changed))
    return (
        Step(
            table=table.name,
            what=f"properties {names}",
            sql=f"ALTER TABLE {place.sql} SET TBLPROPERTIES ({listed})",
        ),
    )


def _refuse_running(spark: SparkSession, where: Layout, found: Stored | None) -> None:
    if found is None:
        return
    held = holders(spark, where)
    if held:
        names = ", ".join(f"{name} by {holder}" for name, holder in sorted(held.items()))
        raise TablesError(
            f"leases are held: {names}. Stop the jobs first (an append under way would fail after "
            "its sending); where they crashed and nothing runs, add --stopped"
        )
