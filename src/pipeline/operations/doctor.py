"""Examine a target by trying: each check reads, or asks for something that changes nothing."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.core.feed import Feed, FeedError
from pipeline.core.records import BOOKS, COMMANDS, RETRY_QUEUE, TABLES
from pipeline.core.scrub import scrub
from pipeline.core.wire import Answer, NoAnswer, classify, probe_request
from pipeline.delivery.plan import Target
from pipeline.delivery.transport import HttpTransport
from pipeline.keys import KeysError, Secrets, fingerprint, load_keys
from pipeline.operations import diagnose
from pipeline.operations.diagnose import Check, finding, ok, unknown
from pipeline.settings import Settings
from pipeline.source.check import check_where_it_is
from pipeline.source.feed_files import load_feeds
from pipeline.source.locate import SourceTable
from pipeline.tables import holds
from pipeline.tables.audit_use import audit_use
from pipeline.tables.layout import layout, misfit
from pipeline.tables.session import NEEDED
from pipeline.tables.stored import stored


def examine(spark: SparkSession, settings: Settings) -> list[Check]:
    """All checks, in the order in which they build on each other."""
    found: list[Check] = []

    def look(name: str, checks: Callable[[], Iterable[Check]]) -> None:
        try:
            found.extend(checks())
        except Exception as error:  # noqa: BLE001  a check that fails must not hide the others
            lines = str(error).strip().splitlines() or [""]
            found.append(unknown(name, f"{type(error).__name__}: {scrub(lines[0])[:200]}"))

    look("versions", lambda: [_versions(spark)])
    look("session", lambda: [_session(spark)])
    look("tables", lambda: [_tables(spark, settings)])
    look("rights", lambda: _rights(spark, settings))
    look("keys", lambda: _destination(settings))
    look("audit log", lambda: _audited(spark, settings))
    look("network from tasks", lambda: _from_tasks(spark, settings))
    look("feeds", lambda: _feeds(spark, settings))
    look("queue", lambda: _queue(spark, settings))
    return found


def _versions(spark: SparkSession) -> Check:
    try:
        delta = version("delta-spark")
    except PackageNotFoundError:
        delta = None
    return diagnose.versions(spark.version, os.environ.get("DATABRICKS_RUNTIME_VERSION"), delta)


def _session(spark: SparkSession) -> Check:
    return diagnose.session(NEEDED, {name: spark.conf.get(name, None) for name in NEEDED})


def _tables(spark: SparkSession, settings: Settings) -> Check:
    where = layout(settings)
    return diagnose.tables(
        {table.name: misfit(table, stored(spark, where.place(table))) for table in TABLES}
    )


def _rights(spark: SparkSession, settings: Settings) -> Iterator[Check]:
    """Checkpoints can be written, and rows of our tables changed; nothing of either stays."""
    folder = Path(settings.tables.checkpoints)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".doctor-{uuid4().hex[:8]}"
        probe.write_text("")
        probe.unlink()
        yield ok("checkpoints", f"{folder} can be written")
    except OSError as error:
        yield finding(
            "checkpoints",
            f"{folder}: {error.strerror}",
            "the volume must be there, with READ_VOLUME and WRITE_VOLUME",
        )
    place = layout(settings).place(COMMANDS)
    if not place.exists(spark):
        return
    try:
        spark.sql(f"DELETE FROM {place.sql} WHERE 1 = 0")
        yield ok("grants", f"rows of {place} can be written")
    except PySparkException as error:
        yield finding(
            "grants",
            scrub(str(error).splitlines()[0])[:200],
            "grant SELECT and MODIFY on the schema to who runs this: see bundles/databricks.yml",
        )


def _destination(settings: Settings) -> Iterator[Check]:
    """One strict request that a healthy API refuses for its content: key, network and clock."""
    try:
        secrets = load_keys(settings.keys)
    except KeysError as error:
        yield finding("keys", str(error), "pipeline key init, then pipeline key set")
        host, port, seconds = _host(settings)
        yield diagnose.network("the driver", f"{host}:{port}", _connect(host, port, seconds))
        return
    yield ok("keys", f"all three are there; the API key is {fingerprint(secrets.api_key)}")
    target = _target(settings, secrets)
    answer = asyncio.run(_ask(target))
    now = datetime.now(UTC)
    host = urlsplit(target.url).netloc
    reason = answer.reason if isinstance(answer, NoAnswer) else None
    yield diagnose.network("the driver", host, reason)
    if isinstance(answer, Answer):
        yield diagnose.key(classify(answer, now), fingerprint(secrets.api_key), target.url)
        theirs = None if answer.date is None else parsedate_to_datetime(answer.date)
        yield diagnose.clock(now, theirs, settings.delivery.clock_tolerance)


def _audited(spark: SparkSession, settings: Settings) -> Iterator[Check]:
    """What was just done with the key stands in the audit log, as each use of it does."""
    try:
        secrets = load_keys(settings.keys)
    except KeysError:
        return
    if audit_use(spark, settings, secrets, "doctor"):
        yield ok("audit log", "takes entries: this use of the key is one")


async def _ask(target: Target) -> Answer | NoAnswer:
    async with HttpTransport(target, connections=1) as transport:
        return await transport.post(probe_request())


def _target(settings: Settings, secrets: Secrets) -> Target:
    destination = settings.destination
    return Target(
        url=destination.url,
        write_key=secrets.api_key,
        strict=True,
        connect_timeout=destination.connect_timeout,
        total_timeout=destination.total_timeout,
    )


def _from_tasks(spark: SparkSession, settings: Settings) -> Iterator[Check]:
    """Whether a Spark task reaches the host: only that compute can deliver in tasks."""
    if settings.delivery.site == "driver":
        return
    host, port, seconds = _host(settings)
    rows = spark.range(1).mapInArrow(_connecting(host, port, seconds), "why string")
    reason = rows.collect()[0]["why"]
    if reason is not None and _connect(host, port, seconds) is not None:
        return  # not from the driver either: that is said, and is what to mend
    yield diagnose.network("tasks", f"{host}:{port}", reason)


def _host(settings: Settings) -> tuple[str, int, float]:
    parts = urlsplit(settings.destination.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return str(parts.hostname), port, settings.destination.connect_timeout.total_seconds()


def _connect(host: str, port: int, seconds: float) -> str | None:
    """Why no connection can be made; None when one can."""
    try:
        socket.create_connection((host, port), seconds).close()
    except OSError as error:
        return type(error).__name__
    return None


def _connecting(
    host: str, port: int, seconds: float
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def connect(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            why = [{"why": _connect(host, port, seconds)}]
            yield pa.RecordBatch.from_pylist(why, pa.schema([("why", pa.string())]))

    return connect


def _feeds(spark: SparkSession, settings: Settings) -> Iterator[Check]:
    try:
        feeds = load_feeds(Path(settings.sources.feeds))
    except FeedError as error:
        yield finding("feeds", str(error), "mend the files; docs/feeds.md")
        return
    for feed in feeds:
        yield from _feed(spark, settings, feed)


def _feed(spark: SparkSession, settings: Settings, feed: Feed) -> Iterator[Check]:
    """The source can be read, has a change feed, fits the feed, and keeps its changes."""
    name = f"feed {feed.name}"
    try:
        begun, read_upto = _begun(spark, settings, feed.name)
        table = check_where_it_is(spark, settings, feed, begun=begun).table
    except FeedError as error:
        yield finding(name, str(error), "docs/feeds.md; a table needs SELECT for who runs this")
        return
    except PySparkException as error:
        says = scrub(str(error).splitlines()[0])[:200]
        yield finding(name, says, f"grant SELECT on {feed.source}, USE SCHEMA, USE CATALOG")
        return
    yield ok(name, f"fits {table.sql}")
    shown = spark.sql(f"SHOW TBLPROPERTIES {table.sql}").collect()
    properties = {row["key"]: row["value"] for row in shown}
    behind = _behind(spark, table, read_upto) if begun else None
    yield diagnose.retention(feed.name, properties, behind)


def _begun(spark: SparkSession, settings: Settings, feed: str) -> tuple[bool, int]:
    """Whether deliver has read the feed, and up to which version."""
    place = layout(settings).place(BOOKS)
    if not place.exists(spark):
        return False, -1
    newest = place.read(spark).where(F.col("feed") == feed).agg(F.max("source_version")).first()
    upto = None if newest is None else newest[0]
    return upto is not None, -1 if upto is None else int(upto)


def _behind(spark: SparkSession, table: SourceTable, upto: int) -> timedelta | None:
    """Age of the oldest commit with changes that was not read."""
    history = spark.sql(f"DESCRIBE HISTORY {table.sql}").where(F.col("version") > upto)
    changing = history.where(~F.col("operation").isin("OPTIMIZE", "VACUUM START", "VACUUM END"))
    oldest = changing.agg(F.min("timestamp")).first()
    if oldest is None or oldest[0] is None:
        return None
    committed: datetime = oldest[0]
    return datetime.now(UTC) - committed.astimezone(UTC)


def _queue(spark: SparkSession, settings: Settings) -> Iterable[Check]:
    where = layout(settings)
    place = where.place(RETRY_QUEUE)
    if not place.exists(spark):
        return []
    rows = place.read(spark).where(F.col("kind") == "message")
    found = rows.agg(F.count("*"), F.min("queued_at")).collect()[0]
    oldest = None if found[1] is None else datetime.now(UTC) - found[1].astimezone(UTC)
    held = [
        f"{one.noted.feed or one.noted.job} since {one.noted.began_at:%Y-%m-%d %H:%M}: "
        f"{one.noted.reason}"
        for one in holds.current(spark, where)
    ]
    return diagnose.queue(found[0], oldest, held)
