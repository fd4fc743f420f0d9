"""Run a job: the whole of `deliver` or `drain`, from its settings to its exit status."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from pipeline.core.feed import Feed, FeedError
from pipeline.keys import load_keys
from pipeline.keys.live import LiveKeys
from pipeline.log import logger
from pipeline.settings import Settings
from pipeline.source.check import check_where_it_is
from pipeline.source.feed_files import load_feeds
from pipeline.streams.begin import begin, checkpoint
from pipeline.streams.claim import Claim, claim_all
from pipeline.streams.drain import Drain
from pipeline.streams.hold import end_left
from pipeline.streams.progress import reporting
from pipeline.streams.recheck import recheck
from pipeline.streams.runtime import HoldOutlastedError, Runtime, StopRequestedError, now
from pipeline.streams.supervise import (
    Guarded,
    Supervised,
    first_line,
    stopping_on_signals,
    supervise,
)
from pipeline.tables import books, leases
from pipeline.tables.audit_start import audit_start
from pipeline.tables.layout import check_tables, layout
from pipeline.watch.look import Role
from pipeline.watch.watching import watching

OK, FAILED, HELD = 0, 1, 3
DRAIN_CHECKPOINT = "drain"


def run_deliver(
    spark: SparkSession, settings: Settings, *, feeds: Iterable[str] = (), available_now: bool
) -> int:
    """Deliver all feeds, or those named; the exit status."""
    secrets = load_keys(settings.keys)
    _prepare(spark, settings)
    wanted = set(feeds)
    chosen = [
        feed
        for feed in load_feeds(Path(settings.sources.feeds))
        if not wanted or feed.name in wanted
    ]
    if missing := wanted - {feed.name for feed in chosen}:
        raise FeedError(
            f"{settings.sources.feeds}: there is no feed named {', '.join(sorted(missing))}"
        )
    _check_new(spark, settings, chosen)
    audit_start(spark, settings, secrets, "deliver")
    runtime = Runtime(
        settings=settings,
        secrets=secrets,
        streams=len(chosen),
        available_now=available_now,
        live=LiveKeys(settings=settings.keys, secrets=secrets),
    )
    with stopping_on_signals(runtime.stop):
        return _with_claims(
            spark,
            runtime,
            [f"deliver/{one.name}" for one in chosen],
            lambda claims: [
                Supervised(
                    name=f"deliver/{one.name}",
                    start=partial(_start_deliver, spark, runtime, own, one),
                )
                for one, own in zip(chosen, claims, strict=True)
            ],
        )


def run_drain(spark: SparkSession, settings: Settings, *, available_now: bool) -> int:
    """Drain the retry queue; the exit status."""
    secrets = load_keys(settings.keys)
    _prepare(spark, settings)
    audit_start(spark, settings, secrets, "drain")
    runtime = Runtime(
        settings=settings,
        secrets=secrets,
        available_now=available_now,
        live=LiveKeys(settings=settings.keys, secrets=secrets),
    )
    with stopping_on_signals(runtime.stop):
        if available_now:
            return _drain_what_is_due(spark, runtime)
        return _with_claims(
            spark,
            runtime,
            ["drain"],
            lambda claims: [
                Supervised(name="drain", start=partial(_start_drain, spark, runtime, claims[0]))
            ],
        )


def _check_new(spark: SparkSession, settings: Settings, feeds: Iterable[Feed]) -> None:
    """Refuse to start with a new feed that cannot run; one that has begun holds, alone."""
    begun = books.begun(spark, layout(settings))
    for feed in feeds:
        if feed.name not in begun:
            check_where_it_is(spark, settings, feed)


def _prepare(spark: SparkSession, settings: Settings) -> None:
    """Local tables are made where they are missing; on Databricks a deploy's own step does that."""
    check_tables(spark, layout(settings), make=settings.tables.root is not None)


def _with_claims(
    spark: SparkSession,
    runtime: Runtime,
    names: list[str],
    queries: Callable[[list[Claim]], list[Supervised]],
) -> int:
    """Claim all leases, run, release them whatever happens."""
    claims: list[Claim] = []
    try:
        claims.extend(claim_all(spark, runtime, names))
        end_left(spark, runtime, claims)

        def alive() -> None:
            for one in claims:
                leases.check(spark, runtime.where, one.held)

        seconds = runtime.settings.observe.progress_every.total_seconds()
        role: Role = "drain" if names == ["drain"] else "deliver"
        with reporting(spark, runtime.where, seconds), watching(spark, runtime.settings, role):
            return _status(supervise(runtime, queries(claims), alive))
    except StopRequestedError:
        return OK
    except leases.LeaseHeldError as error:
        return _status(error)
    finally:
        for one in claims:
            _release(spark, runtime, one)


def _release(spark: SparkSession, runtime: Runtime, one: Claim) -> None:
    """Give the lease back; where its table can't be written, the next holder waits instead."""
    try:
        if leases.state(spark, runtime.where, one.held.name)[0].holder == one.held.holder:
            leases.release(spark, runtime.where, one.held)
    except Exception as error:  # noqa: BLE001  why the job ends is to be told, not this
        logger(lease=one.held.name).error("lease.kept", error=type(error).__name__)


def _start_deliver(
    spark: SparkSession, runtime: Runtime, own: Claim, feed: Feed
) -> tuple[StreamingQuery, Guarded]:
    """Each start reads the feed's file and its table's columns anew."""
    own.prove(spark, runtime)
    checked = recheck(spark, runtime, own, feed)
    handler, stream = begin(spark, runtime, own, checked)
    guarded = Guarded(handler, runtime.stop)
    trigger = runtime.settings.triggers.deliver.total_seconds()
    writer = (
        stream.writeStream.queryName(f"deliver_{checked.feed.name}")
        .option("checkpointLocation", checkpoint(runtime, checked.feed.name))
        .foreachBatch(guarded)
    )
    if runtime.available_now:
        return writer.trigger(availableNow=True).start(), guarded
    return writer.trigger(processingTime=f"{trigger} seconds").start(), guarded


def _start_drain(
    spark: SparkSession, runtime: Runtime, own: Claim
) -> tuple[StreamingQuery, Guarded]:
    """Ticks come from the rate source: a stream without new rows would never call again."""
    own.prove(spark, runtime)
    guarded = Guarded(Drain(runtime, own), runtime.stop)
    seconds = runtime.settings.triggers.drain.total_seconds()
    query = (
        spark.readStream.format("rate")
        .option("rowsPerSecond", 1)
        .load()
        .writeStream.queryName("drain")
        .option("checkpointLocation", checkpoint(runtime, DRAIN_CHECKPOINT))
        .foreachBatch(guarded)
        .trigger(processingTime=f"{seconds} seconds")
        .start()
    )
    return query, guarded


def _drain_what_is_due(spark: SparkSession, runtime: Runtime) -> int:
    """Tick until nothing is left that was due at the first; what waits for its time stays."""
    own: Claim | None = None
    held_since: float | None = None
    try:
        (own,) = claim_all(spark, runtime, ["drain"])
        end_left(spark, runtime, [own])
        drain = Drain(runtime, own, once=True)
        number = 0
        while True:
            tick = drain.tick(spark, number)
            number += 1
            if tick.holds:
                held_since = held_since if held_since is not None else now()
                if now() - held_since > runtime.settings.delivery.holds.outlast.total_seconds():
                    return HELD
                runtime.stop.pause(runtime.settings.triggers.drain.total_seconds())
            elif tick.sent == 0:
                return OK
            else:
                held_since = None
    except StopRequestedError:
        return OK
    except leases.LeaseHeldError as error:
        return _status(error)
    finally:
        if own is not None:
            _release(spark, runtime, own)


def _words(error: BaseException) -> str:
    """Our own refusals in full, whatever else raises scrubbed."""
    ours = isinstance(error, leases.LeaseHeldError | leases.LeaseLostError | FeedError)
    return str(error) if ours else first_line(error)


def _status(error: BaseException | None) -> int:
    match error:
        case None:
            return OK
        case HoldOutlastedError():
            logger().error("job.held", reason=str(error))
            return HELD
        case _:
            logger().error("job.failed", error=type(error).__name__, reason=_words(error))
            return FAILED
