"""The views over the tables: the same SQL on Databricks and in a local session."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from pyspark.sql import SparkSession

from pipeline.core.records import BOOKS, HOLDS, OUTCOMES, RETRY_QUEUE, TABLES
from pipeline.tables.layout import Layout
from pipeline.tables.metrics import metrics
from pipeline.tables.unpacked import unpacked_sql

_OWN: Final[Mapping[str, str]] = {
    "message_outcomes": unpacked_sql(f"{{{OUTCOMES.name}}}"),
    "ledger": """
        SELECT message_id, max_by(struct(*), number) AS newest, max(number) AS outcomes
        FROM {message_outcomes}
        WHERE kind IN ('accepted', 'queued', 'dead', 'skipped', 'cancelled')
        GROUP BY message_id""",
    "dead_letters": """
        SELECT message_id, newest.feed, newest.source_version, newest.call_type, newest.event,
               newest.entity_hash, newest.stage, newest.reason, newest.detail, newest.payload,
               newest.payload_key_id, newest.attempts, newest.recorded_at
        FROM (SELECT message_id, max_by(struct(*), number) AS newest
              FROM (SELECT * FROM {message_outcomes} WHERE kind = 'dead'
                    UNION ALL
                    SELECT * FROM {message_outcomes}
                    WHERE kind IN ('accepted', 'queued', 'skipped', 'cancelled') AND number > 1)
              GROUP BY message_id)
        WHERE newest.kind = 'dead'""",
    "request_log": f"""
        SELECT request_id, job, feed, slice, endpoint, status, reason, duration_ms, bytes, calls,
               answer, recorded_at
        FROM {{{OUTCOMES.name}}} WHERE kind = 'request'""",
    "current_holds": f"""
        SELECT newest.job, newest.feed, newest.reason, newest.detail, newest.entry,
               newest.source_version, newest.messages, newest.began_at, newest.recorded_at,
               newest.hold_id
        FROM (SELECT max_by(struct(*), number) AS newest FROM {{{HOLDS.name}}} GROUP BY job, feed)
        WHERE newest.entry <> 'ended'""",
    "queued_messages": f"""
        SELECT message_id, feed, source_version, call_type, event, entity_hash, attempts, stage,
               reason, detail, next_attempt_at, queued_at, committed_at
        FROM {{{RETRY_QUEUE.name}}} WHERE kind = 'message'""",
    "reconciliation": f"""
        SELECT b.feed, b.source_version, b.changes, b.messages,
               coalesce(l.accepted, 0) AS accepted, coalesce(l.queued, 0) AS queued,
               coalesce(l.dead, 0) AS dead, coalesce(l.skipped, 0) AS skipped,
               coalesce(l.cancelled, 0) AS cancelled,
               b.messages - coalesce(l.messages, 0) AS missing
        FROM (SELECT feed, source_version, min_by(changes, booked_at) AS changes,
                     min_by(messages, booked_at) AS messages
              FROM {{{BOOKS.name}}} WHERE origin IN ('snapshot', 'commit')
              GROUP BY feed, source_version) b
        LEFT JOIN (SELECT newest.feed AS feed, newest.source_version AS source_version,
                          count(*) AS messages,
                          count_if(newest.kind = 'accepted') AS accepted,
                          count_if(newest.kind = 'queued') AS queued,
                          count_if(newest.kind = 'dead') AS dead,
                          count_if(newest.kind = 'skipped') AS skipped,
                          count_if(newest.kind = 'cancelled') AS cancelled
                   FROM {{ledger}} GROUP BY newest.feed, newest.source_version) l
        ON b.feed = l.feed AND b.source_version = l.source_version""",
}
"""Names to SQL; tables and views stand in braces, in an order that works.

What died later than at its first outcome, or did not stay dead, has a number above 1: so the
dead letters are found without the files of the many that were accepted at once.
"""
METRICS: Final[Mapping[str, str]] = {one.name: one.sql for one in metrics()}
VIEWS: Final[Mapping[str, str]] = {**_OWN, **METRICS}
"""All views."""
_NEWEST: Final[Mapping[str, int]] = {}
_WORD: Final = re.compile(r"\w+")


def statements(
    where: Layout, *, in_schema: bool = False, versions: Mapping[str, int] = _NEWEST
) -> dict[str, str]:
    """The views' SQL with this target's tables in it; views by bare name, or in the schema.

    Tables that *versions* names are read as of these.
    """
    known = _named(where)
    known |= {name: f"{known[name]} VERSION AS OF {at}" for name, at in versions.items()}
    known |= {name: _in_schema(where, name) if in_schema else name for name in VIEWS}
    return {name: sql.format(**known) for name, sql in VIEWS.items()}


def _named(where: Layout) -> dict[str, str]:
    """The tables' SQL by name."""
    return {table.name: where.place(table).sql for table in TABLES}


def reconciliation(where: Layout, firsts: Mapping[str, int]) -> str:
    """SQL of the view of that name, of each feed's source versions from *firsts* on alone.

    The versions are named where files are chosen by them, so that the cost follows what is asked.
    """
    asked = " OR ".join(
        f"(feed = '{feed}' AND source_version >= {first})" for feed, first in firsts.items()
    )
    named = _named(where)
    for table in (BOOKS, OUTCOMES):
        named[table.name] = f"(SELECT * FROM {named[table.name]} WHERE {asked or 'FALSE'})"
    for view in ("message_outcomes", "ledger"):
        named[view] = f"({_OWN[view].format(**named)})"
    return _OWN["reconciliation"].format(**named)


def make_session_views(spark: SparkSession, where: Layout, *, with_metrics: bool = False) -> None:
    """Temporary views, for local tables that are paths and for whoever only reads."""
    for name, sql in statements(where).items():
        if with_metrics or name not in METRICS:
            spark.sql(sql).createOrReplaceTempView(name)


def make_views_of_now(spark: SparkSession, where: Layout, queries: Iterable[str]) -> None:
    """Temporary views that *queries* name, all as of the tables' versions of one moment.

    So that what is read one after the other can't disagree.
    """
    names = named_in(queries)
    versions = {t.name: where.place(t).version(spark) for t in TABLES if t.name in names}
    for name, sql in statements(where, versions=versions).items():
        if name in names:
            spark.sql(sql).createOrReplaceTempView(name)


def named_in(queries: Iterable[str]) -> frozenset[str]:
    """Views that the SQL names, those behind them, and the tables behind all of them."""
    known = {*VIEWS, *(table.name for table in TABLES)}
    found: set[str] = set()
    left = [*queries]
    while left:
        new = (known & {*_WORD.findall(left.pop())}) - found
        found |= new
        left += [VIEWS[name] for name in new if name in VIEWS]
    return frozenset(found)


def create_views(spark: SparkSession, where: Layout) -> tuple[str, ...]:
    """Make or replace the views in the schema, for dashboards and SQL alerts; their names.

    Nothing where tables are paths: there each session makes its own.
    """
    if where.schema is None:
        return ()
    made = statements(where, in_schema=True)
    for name, sql in made.items():
        spark.sql(f"CREATE OR REPLACE VIEW {_in_schema(where, name)} AS {sql}")
    return tuple(made)


def _in_schema(where: Layout, name: str) -> str:
    return ".".join(f"`{part}`" for part in f"{where.schema}.{name}".split("."))
