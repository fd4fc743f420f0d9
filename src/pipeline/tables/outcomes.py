"""Read and append `outcomes`, the one atomic point.

Reads are by pinned version and end before the append begins: a query that scans the table while
it appends to it is no blind append to Delta, and could conflict after the sending.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.fold import MESSAGE_KINDS, OutcomeRow
from pipeline.core.packed import COLUMNS as PACKED
from pipeline.core.packed import COUNT, unpack
from pipeline.core.records import OUTCOMES
from pipeline.tables.layout import Layout
from pipeline.tables.unpacked import each_of, unpacked

REPORTS: Final = ("task", "request")
"""Kinds of rows that are about a slice's part or a request, not about a message."""
FOLDED: Final = (
    "_commit_version", "message_id", "kind", "number", "entity_hash", "position",
)  # fmt: skip
"""What a fold needs of a message's row."""
_REPORTED: Final = (
    "feed", "job", "slice", "calls", "unsent", "reason", "status", "duration_ms", "bytes",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceResult:
    """What the tasks of one slice reported; `tasks` 0 means that the append was skipped."""

    tasks: int
    calls: int
    unsent: int
    holds: tuple[str, ...]
    """Reasons of the tasks that stopped sending, each once."""
    requests: int
    weight: float
    """Bytes of a call, on the average of the requests; 0 where there were none."""
    troubled: int
    """Requests answered 429 or 5xx, or not at all."""
    median_ms: float


def version(spark: SparkSession, where: Layout) -> int:
    """Newest commit of `outcomes`."""
    return where.place(OUTCOMES).version(spark)


def concerning_queue(
    spark: SparkSession, where: Layout, after: int, upto: int | None = None
) -> DataFrame:
    """Rows of messages that can concern the queue, with `_commit_version`, after commit *after*.

    A first outcome that is an end state was never queued, so the many accepted at first try are
    left out: they are `number` 1, which their files' statistics and pages tell. As they are stored:
    what was accepted may be packed.
    """
    return inserted(spark, where, after, upto).where(_concerns_queue())


def message_rows(
    spark: SparkSession, where: Layout, after: int, upto: int | None = None
) -> DataFrame:
    """The same with a row for each message."""
    return each_of(concerning_queue(spark, where, after, upto))


def read_on(
    spark: SparkSession, where: Layout, after: int, slice_: tuple[str, int] | None = None
) -> pa.Table:
    """Narrow rows after commit *after*: what concerns the queue, and the rows of tasks.

    A row for each message. With the requests of one *slice_* (job, number). Each slice has rows of
    tasks, so the highest `_commit_version` says how far was read.
    """
    wanted = _concerns_queue() | (F.col("kind") == "task")
    if slice_ is not None:
        job, number = slice_
        own = (F.col("job") == job) & (F.col("slice") == number)
        wanted |= (F.col("kind") == "request") & own
    rows = inserted(spark, where, after).where(wanted)
    return unpack(rows.select(*FOLDED, *_REPORTED, *PACKED).toArrow())


def _concerns_queue() -> Column:
    kinds = ", ".join(map(repr, MESSAGE_KINDS))
    return F.expr(f"kind IN ({kinds}) AND (kind = 'queued' OR number > 1)")


def inserted(spark: SparkSession, where: Layout, after: int, upto: int | None = None) -> DataFrame:
    """Rows that were appended after commit *after*; what upkeep rewrote is left out."""
    rows = where.place(OUTCOMES).changes(spark, after + 1, upto)
    return rows.where(F.col("_change_type") == "insert")


def as_fold_rows(rows: pa.Table) -> list[OutcomeRow]:
    """The rows as values of the core, for a fold in this process."""
    return [
        OutcomeRow(
            version=version,
            message_id=message_id,
            kind=kind,
            number=number,
            entity_hash=entity_hash or b"",
            position=position,
        )
        for version, message_id, kind, number, entity_hash, position in zip(
            *(rows[name].to_pylist() for name in FOLDED), strict=True
        )
    ]


def known_ids(
    spark: SparkSession, where: Layout, feed: str, first: int, last: int
) -> frozenset[bytes]:
    """Ids of the feed's messages of source versions *first* to *last* that have an outcome."""
    rows = (
        unpacked(where.place(OUTCOMES).read(spark))
        .where(F.col("kind").isin(*MESSAGE_KINDS))
        .where(F.col("feed") == feed)
        .where(F.col("source_version").between(first, last))
        .select("message_id")
    )
    return frozenset(text.encode() for text in rows.toArrow()["message_id"].to_pylist())


def newest(
    spark: SparkSession, where: Layout, ids: Sequence[str], *, waited: bool = False
) -> DataFrame:
    """The newest outcome of each of these messages, at one pinned version.

    Where they all *waited* once, or died, what was accepted at its first try is left out.
    """
    rows = where.place(OUTCOMES).read(spark, version(spark, where))
    rows = of_waited(rows, ids) if waited else unpacked(rows, ids)
    return newest_of(rows.where(F.col("message_id").isin(*ids)))


def of_waited(rows: DataFrame, ids: Sequence[str] = ()) -> DataFrame:
    """All outcomes of messages that waited once, or died, a row each; of others not all.

    *ids* as `unpacked` takes them.
    """
    return unpacked(rows.where(F.col(COUNT).isNull() | (F.col("number") > 1)), ids)


def newest_of(rows: DataFrame) -> DataFrame:
    """The newest outcome of each message of which *rows* has outcomes."""
    return (
        rows.where(F.col("kind").isin(*MESSAGE_KINDS))
        .groupBy("message_id")
        .agg(F.max_by(F.struct("*"), "number").alias("newest"))
        .select("newest.*")
    )


def following(
    newest: DataFrame, number: int, at: datetime, changed: Mapping[str, Column]
) -> DataFrame:
    """What drain records next of these messages: *changed*, and all else as it was.

    *number* is the append's, *at* when it is recorded.
    """
    columns = {
        "number": F.col("number") + 1,
        "detail": F.lit(None),
        "request_id": F.lit(None),
        "recorded_at": F.lit(at),
        "job": F.lit("drain"),
        "slice": F.lit(number),
        **{name: F.lit(None) for name in PACKED},
        **changed,
    }
    return newest.select(
        *(columns.get(c.name, F.col(c.name)).cast(c.type).alias(c.name) for c in OUTCOMES.columns)
    )


def overtaken(spark: SparkSession, where: Layout, messages: DataFrame) -> set[str]:
    """Those of *messages* after which a later one of their entity and feed was accepted.

    *messages* has message_id, feed, entity_hash and source_version. Sending such a message now
    would let an old change overwrite a newer one.
    """
    known = messages.where(F.col("entity_hash").isNotNull())
    first = known.agg(F.min("source_version").alias("first")).collect()[0]["first"]
    if first is None:
        return set()
    accepted = (
        unpacked(where.place(OUTCOMES).read(spark, version(spark, where)))
        .where((F.col("kind") == "accepted") & (F.col("source_version") > first))
        .select("feed", "entity_hash", F.col("source_version").alias("accepted_version"))
    )
    later = known.join(accepted, ["feed", "entity_hash"]).where(
        F.col("accepted_version") > F.col("source_version")
    )
    return {row[0] for row in later.select("message_id").distinct().collect()}


def append(where: Layout, rows: DataFrame, app: str, txn: int) -> None:
    """Append the rows of a slice, evaluated once, in one commit that an older epoch can't make."""
    where.place(OUTCOMES).append(rows, app=app, txn=txn)


def fence(spark: SparkSession, where: Layout, app: str, txn: int) -> None:
    """An empty commit that makes every append of an older epoch void."""
    where.place(OUTCOMES).append(spark.createDataFrame([], OUTCOMES.ddl), app=app, txn=txn)


def result_after(
    where: Layout, after: int, spark: SparkSession, job: str, feed: str | None, number: int
) -> SliceResult:
    """What the slice's own rows say, which are in a commit after *after*.

    The change feed has them without Delta working out the table's whole state.
    """
    own = (F.col("job") == job) & (F.col("slice") == number)
    if feed is not None:
        own &= (F.col("feed") == feed) | F.col("feed").isNull()
    rows = inserted(spark, where, after).where(F.col("kind").isin(*REPORTS) & own)
    return reported(rows.select(*_REPORTED, "kind").toArrow())


def reported(rows: pa.Table) -> SliceResult:
    """The task and request rows of one slice as one value.

    Few rows, so they are summed up here: an aggregation in Spark takes longer to plan.
    """
    tasks = rows.filter(pc.equal(rows["kind"], "task"))
    requests = rows.filter(pc.equal(rows["kind"], "request"))
    status = requests["status"]
    troubled = pc.or_kleene(
        pc.is_null(status), pc.or_kleene(pc.greater_equal(status, 500), pc.equal(status, 429))
    )
    return SliceResult(
        tasks=tasks.num_rows,
        calls=pc.sum(tasks["calls"]).as_py() or 0,
        unsent=pc.sum(tasks["unsent"]).as_py() or 0,
        holds=tuple(sorted(pc.unique(tasks["reason"].drop_null()).to_pylist())),
        requests=requests.num_rows,
        weight=(pc.sum(requests["bytes"]).as_py() or 0) / (pc.sum(requests["calls"]).as_py() or 1),
        troubled=pc.sum(troubled).as_py() or 0,
        median_ms=pc.approximate_median(requests["duration_ms"]).as_py() or 0.0,
    )
