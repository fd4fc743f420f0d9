"""Run the queries of a job: restart what fails with backoff, alone; stop gracefully."""

import contextlib
import re
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from pipeline.core.scrub import scrub
from pipeline.log import logger
from pipeline.log import set_up as log_set_up
from pipeline.streams.runtime import (
    FeedChangedError,
    HoldOutlastedError,
    Runtime,
    Stop,
    StopRequestedError,
    now,
)
from pipeline.tables.leases import LeaseLostError
from pipeline.tables.session import silence

RESTART_INITIAL = 1.0
RESTART_MAX = 60.0
WELL_AFTER = 300.0
"""Seconds after which a restarted query counts as well, and its backoff begins anew."""
AVAILABLE_NOW_FAILURES = 3
LOOK = 0.5
"""Seconds between two looks at the queries."""

Handler = Callable[[DataFrame, int], None]


@dataclass(slots=True)
class Guarded:
    """A foreachBatch that can be waited for, and that keeps the error that ended it."""

    handler: Handler
    stop: Stop
    busy: threading.Lock = field(default_factory=threading.Lock)
    error: BaseException | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the lock, which cannot travel: over Spark Connect a copy works elsewhere."""
        return {"handler": self.handler, "stop": self.stop}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """With a new lock; the other process has loggers of its own, which must keep still too."""
        silence()
        log_set_up()
        self.handler, self.stop = state["handler"], state["stop"]
        self.busy, self.error = threading.Lock(), None

    def __call__(self, rows: DataFrame, batch_id: int) -> None:
        """Run the handler; an error is kept, since Spark wraps it beyond recognition."""
        with self.busy:
            self.error = None
            if self.stop.asked:
                raise StopRequestedError
            try:
                self.handler(rows, batch_id)
            except BaseException as error:
                self.error = error
                raise


@dataclass(slots=True)
class Supervised:
    """One query of a job and how it fares."""

    name: str
    start: Callable[[], tuple[StreamingQuery, Guarded]]
    starting: Future[tuple[StreamingQuery, Guarded]] | None = None
    query: StreamingQuery | None = None
    guarded: Guarded | None = None
    failures: int = 0
    started_at: float = 0.0
    restart_at: float = 0.0
    ended: bool = False
    error: BaseException | None = None


@contextlib.contextmanager
def stopping_on_signals(stop: Stop) -> Iterator[None]:
    """SIGTERM and SIGINT ask to stop. Only a main thread may listen: a notebook's may be none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(_number: int, _frame: Any) -> None:
        stop.ask()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def supervise(
    runtime: Runtime, queries: list[Supervised], alive: Callable[[], None]
) -> BaseException | None:
    """Run until all have ended or somebody asks to stop; the error that should end the job.

    *alive* answers challenges of the leases while nothing is to be sent.
    """
    poll = runtime.settings.lease.poll.total_seconds()
    answered_at = now()
    lost: LeaseLostError | None = None
    # Starting may take long (a snapshot is sent first), and challenges must be answered meanwhile.
    with ThreadPoolExecutor(max_workers=max(len(queries), 1)) as pool:
        while not runtime.stop.asked and not all(one.ended for one in queries):
            for one in queries:
                _look(runtime, one, pool)
                if isinstance(one.error, LeaseLostError):
                    runtime.stop.ask()
            if now() - answered_at >= poll:
                answered_at = now()
                try:
                    alive()
                except LeaseLostError as error:
                    lost = error
                    runtime.stop.ask()
            with contextlib.suppress(StopRequestedError):
                runtime.stop.pause(LOOK)
        for one in queries:
            _await_start(runtime, one)
            _finish(one)
    return lost or next((one.error for one in queries if one.error is not None), None)


def _look(runtime: Runtime, one: Supervised, pool: ThreadPoolExecutor) -> None:
    """Start, restart, or note the end of one query."""
    if one.ended or now() < one.restart_at:
        return
    if one.query is None:
        if one.starting is None:
            one.starting = pool.submit(one.start)
        elif one.starting.done():
            _await_start(runtime, one)
        return
    if one.query.isActive:
        return
    found = _error(one)
    if found is None:
        one.ended = True
        logger(query=one.name).info("query.ended")
        return
    if now() - one.started_at > WELL_AFTER:
        one.failures = 0
    _failed(runtime, one, found)


def _await_start(runtime: Runtime, one: Supervised) -> None:
    """Take over a query that was started, or note why it was not."""
    if one.starting is None:
        return
    starting, one.starting = one.starting, None
    try:
        one.query, one.guarded = starting.result()
        one.started_at = now()
    except Exception as error:  # noqa: BLE001  whatever it is, the other feeds go on
        _failed(runtime, one, error)


def _error(one: Supervised) -> BaseException | None:
    if one.guarded is not None and one.guarded.error is not None:
        return one.guarded.error
    found = one.query.exception() if one.query is not None else None
    return None if found is None else recognised(found)


def recognised(error: BaseException) -> BaseException:
    """One of our own errors, where Spark quotes it: over Spark Connect only its words arrive."""
    text = str(error)
    for kind in (HoldOutlastedError, LeaseLostError, StopRequestedError):
        found = re.search(rf"\b{kind.__name__}(?:: (?P<words>.*))?$", text, re.MULTILINE)
        if found is not None:
            return kind(found["words"] or "")
    return error


def _failed(runtime: Runtime, one: Supervised, error: BaseException) -> None:
    """Restart with backoff, or give up where a restart would do the same again."""
    one.query, one.guarded = None, None
    if isinstance(error, FeedChangedError):
        logger(query=one.name).info("feed.changed")
        return
    one.failures += 1
    if isinstance(error, StopRequestedError):
        one.ended = True
        return
    final = isinstance(error, HoldOutlastedError | LeaseLostError) or (
        runtime.available_now and one.failures >= AVAILABLE_NOW_FAILURES
    )
    pause = min(RESTART_INITIAL * 2 ** (one.failures - 1), RESTART_MAX)
    log = logger(query=one.name)
    log.error(
        "query.failed",
        error=type(error).__name__,
        reason=first_line(error),
        failures=one.failures,
        restart_in_seconds=None if final else pause,
    )
    if final:
        one.ended, one.error = True, error
    else:
        one.restart_at = now() + pause


def first_line(error: BaseException) -> str:
    """The first line of an error's words, scrubbed: Spark's errors quote values of rows."""
    lines = str(error).strip().splitlines()
    return scrub(lines[0]) if lines else ""


def _finish(one: Supervised) -> None:
    """Let a micro-batch that is under way come to its end, then stop the query."""
    if one.query is None or one.guarded is None:
        return
    with one.guarded.busy:
        one.query.stop()
    with contextlib.suppress(StreamingQueryException):
        one.query.awaitTermination(10)
    logger(query=one.name).info("query.stopped")
