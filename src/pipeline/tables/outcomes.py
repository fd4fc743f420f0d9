"""Read and append `outcomes`, the one atomic point.

Reads are by pinned version and end before the append begins: a query that scans the table while
it appends to it is no blind append to Delta, and could conflict after the sending.
"""

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.fold import MESSAGE_KINDS, OutcomeRow
from pipeline.core.records import OUTCOMES
from pipeline.tables.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceResult:
    """What the tasks of one slice reported; `tasks` 0 means that the append was skipped."""

    tasks: int
    calls: int
    unsent: int
    holds: tuple[str, ...]
    """Reasons of the tasks that stopped sending, each once."""
    requests: int
    troubled: int
    """Requests answered 429 or 5xx, or not at all."""
    slowest_median_ms: float


def version(spark: SparkSession, where: Layout) -> int:
    """Newest commit of `outcomes`."""
    return where.place(OUTCOMES).version(spark)


def message_rows(
    spark: SparkSession, where: Layout, after: int, upto: int | None = None
) -> DataFrame:
    """Rows of messages that can concern the queue, with `_commit_version`, after commit *after*.

    A first outcome that is an end state was never queued, so the many accepted at first try are
    left out: they are `number` 1, which their files' statistics and pages tell.
    """
    return (
        where.place(OUTCOMES)
        .changes(spark, after + 1, upto)
        .where(F.col("kind").isin(*MESSAGE_KINDS))
        .where((F.col("kind") == "queued") | (F.col("number") > 1))
        .where(F.col("_change_type") == "insert")
    )


def fold_rows(rows: DataFrame) -> list[OutcomeRow]:
    """The rows as values of the core, for a fold in this process."""
    narrow = rows.select(
        "_commit_version", "message_id", "kind", "number", "entity_hash", "position"
    )
    return [
        OutcomeRow(
            version=row[0],
            message_id=row[1],
            kind=row[2],
            number=row[3],
            entity_hash=bytes(row[4] or b""),
            position=row[5],
        )
        for row in narrow.collect()
    ]


def known_ids(
    spark: SparkSession, where: Layout, feed: str, first: int, last: int
) -> frozenset[bytes]:
    """Ids of the feed's messages of source versions *first* to *last* that have an outcome."""
    rows = (
        where.place(OUTCOMES)
        .read(spark)
        .where(F.col("kind").isin(*MESSAGE_KINDS))
        .where(F.col("feed") == feed)
        .where(F.col("source_version").between(first, last))
        .select("message_id")
    )
    return frozenset(text.encode() for text in rows.toArrow()["message_id"].to_pylist())


def append(where: Layout, rows: DataFrame, app: str, txn: int) -> None:
    """Append the rows of a slice, evaluated once, in one commit that an older epoch can't make."""
    where.place(OUTCOMES).append(rows, app=app, txn=txn)


def fence(spark: SparkSession, where: Layout, app: str, txn: int) -> None:
    """An empty commit that makes every append of an older epoch void."""
    where.place(OUTCOMES).append(spark.createDataFrame([], OUTCOMES.ddl), app=app, txn=txn)


def slice_result(
    spark: SparkSession, where: Layout, job: str, feed: str | None, number: int
) -> SliceResult:
    """What the slice's own rows say; the slice's number leads to the files of its one commit."""
    rows = (
        where.place(OUTCOMES)
        .read(spark)
        .where(F.col("kind").isin("task", "request"))
        .where((F.col("job") == job) & (F.col("slice") == number))
    )
    if feed is not None:
        rows = rows.where((F.col("feed") == feed) | F.col("feed").isNull())
    is_task, is_request = F.col("kind") == "task", F.col("kind") == "request"
    trouble = is_request & (
        F.col("status").isNull() | (F.col("status") >= 500) | (F.col("status") == 429)  # noqa: PLR2004
    )
    found = rows.agg(
        F.count(F.when(is_task, 1)).alias("tasks"),
        F.coalesce(F.sum(F.when(is_task, F.col("calls"))), F.lit(0)).alias("calls"),
        F.coalesce(F.sum(F.when(is_task, F.col("unsent"))), F.lit(0)).alias("unsent"),
        F.collect_set(F.when(is_task, F.col("reason"))).alias("holds"),
        F.count(F.when(is_request, 1)).alias("requests"),
        F.count(F.when(trouble, 1)).alias("troubled"),
        F.percentile_approx(F.when(is_request, F.col("duration_ms")), 0.5).alias("median"),
    ).first()
    if found is None:
        return _NOTHING
    return SliceResult(
        tasks=found["tasks"],
        calls=found["calls"],
        unsent=found["unsent"],
        holds=tuple(sorted(found["holds"])),
        requests=found["requests"],
        troubled=found["troubled"],
        slowest_median_ms=found["median"] or 0.0,
    )


_NOTHING = SliceResult(
    tasks=0, calls=0, unsent=0, holds=(), requests=0, troubled=0, slowest_median_ms=0.0
)
