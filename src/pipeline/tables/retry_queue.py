"""The retry queue: a fold of `outcomes`, written by drain alone, one commit a tick."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.fold import Waiting, barred
from pipeline.core.records import RETRY_QUEUE
from pipeline.tables.layout import Layout
from pipeline.tables.outcomes import as_fold_rows

KINDS = ("message", "position", "erased")


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """How far the queue has taken in what."""

    outcomes: int
    commands: int
    rows: int = 1
    """How many rows say so, of which the highest holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A person or object that was erased, by the request that did it."""

    message_id: str
    """Of the request: the call that deletes."""
    entity_hash: bytes
    marked_at: datetime
    stage: str | None
    """Null: under way; refused: the call is a dead letter; done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """The queue at one version: all that a barrier needs of it."""

    positions: Positions
    waiting: pa.Table
    """message_id, entity_hash, queued_version, position, number."""
    erased: frozenset[bytes]
    """Entity hashes with a lasting mark."""


def rows_of(spark: SparkSession, where: Layout, kind: str, version: int | None = None) -> DataFrame:
    """Rows of one kind, of one version or of the newest; no file of another kind is opened."""
    return where.place(RETRY_QUEUE).read(spark, version).where(F.col("kind") == kind)


def heads(spark: SparkSession, where: Layout) -> tuple[Positions, tuple[Mark, ...]]:
    """The positions and the marks in the queue's newest version."""
    rows = (
        where.place(RETRY_QUEUE)
        .read(spark)
        .where(F.col("kind").isin("position", "erased"))
        .select(
            "kind", "outcomes_position", "commands_position", "message_id", "entity_hash",
            "marked_at", "stage",
        )
        .collect()
    )  # fmt: skip
    places = [row for row in rows if row["kind"] == "position"]
    marks = [
        Mark(
            message_id=row["message_id"],
            entity_hash=bytes(row["entity_hash"]),
            marked_at=row["marked_at"],
            stage=row["stage"],
        )
        for row in rows
        if row["kind"] == "erased"
    ]
    at = Positions(
        outcomes=max((row["outcomes_position"] or 0 for row in places), default=0),
        commands=max((row["commands_position"] or 0 for row in places), default=0),
        rows=len(places),
    )
    return at, tuple(marks)


def positions(spark: SparkSession, where: Layout) -> Positions:
    """The positions in the queue's newest version."""
    return heads(spark, where)[0]


def pinned(spark: SparkSession, where: Layout, version: int | None = None) -> QueueState:
    """The queue at one version, or its newest: positions, messages and marks belong together."""
    rows = (
        where.place(RETRY_QUEUE)
        .read(spark, version)
        .select(
            "kind",
            "message_id",
            "entity_hash",
            "queued_version",
            "position",
            "number",
            "outcomes_position",
            "commands_position",
        )
        .toArrow()
    )
    of_kind = {kind: rows.filter(pc.equal(rows["kind"], kind)) for kind in KINDS}
    place = of_kind["position"]
    return QueueState(
        positions=Positions(
            outcomes=pc.max(place["outcomes_position"]).as_py() or 0,
            commands=pc.max(place["commands_position"]).as_py() or 0,
            rows=place.num_rows,
        ),
        waiting=of_kind["message"],
        erased=frozenset(of_kind["erased"]["entity_hash"].to_pylist()),
    )


def erased(spark: SparkSession, where: Layout, version: int) -> frozenset[bytes]:
    """Entity hashes with a lasting mark, at one version of the queue."""
    marks = rows_of(spark, where, "erased", version)
    return frozenset(marks.select("entity_hash").toArrow()["entity_hash"].to_pylist())


def barred_entities(state: QueueState, rows: pa.Table) -> frozenset[bytes]:
    """Entities with a message waiting: the queue, with the outcomes after its position on top.

    *rows* are of `outcomes.FOLDED`. Only messages that were queued there are folded one by one:
    one with nothing but ends, as drain makes them by the hundred thousand, waits no more.
    """
    waiting = state.waiting
    touched = pc.is_in(waiting["message_id"], pc.unique(rows["message_id"]))
    untouched = pc.unique(waiting.filter(pc.invert(touched))["entity_hash"])
    queued = pc.unique(rows.filter(pc.equal(rows["kind"], "queued"))["message_id"])
    known = as_waiting(waiting.filter(pc.is_in(waiting["message_id"], queued)))
    folded = barred(known, as_fold_rows(rows.filter(pc.is_in(rows["message_id"], queued))))
    return folded | frozenset(hash_ or b"" for hash_ in untouched.to_pylist())


def as_waiting(table: pa.Table) -> dict[str, Waiting]:
    """Rows of `QueueState.waiting` as values of the core, by message id."""
    return {
        row["message_id"]: Waiting(
            message_id=row["message_id"],
            entity_hash=row["entity_hash"] or b"",
            queued_version=row["queued_version"],
            position=row["position"],
            number=row["number"],
        )
        for row in table.to_pylist()
    }
