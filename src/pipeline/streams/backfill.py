"""A first load: a table's snapshot in parts; changes that are committed meanwhile go first.

    part, look for changes, part, look for changes, ... -> the stream begins

A table of many millions takes hours, and a change of today must not wait so long. So between two
parts the newer commits are delivered as a micro-batch would be. Order is kept: where a changed
person's rows of the snapshot were not sent yet, those go just before the change.

What was done is noted in a file beside the checkpoints: parts, by the numbers of their appends. A
restart goes on with the next part, and leaves out by id only what other appends recorded: the
messages that went ahead, and those of the part that was broken off. Without the file it would
read the ids of all that was sent, which is right as well, and slow.
"""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.fold import MESSAGE_KINDS
from pipeline.core.records import OUTCOMES
from pipeline.log import logger
from pipeline.source.checked import CheckedFeed
from pipeline.source.count import Counted, count_changes
from pipeline.source.draft import drafted, narrowed, part_of
from pipeline.source.isolate import WrongMappingError, split
from pipeline.source.isolated import Isolated
from pipeline.source.net import net
from pipeline.source.plan import ID
from pipeline.source.readable import current_version, read_changes
from pipeline.source.start import snapshot_changes
from pipeline.streams.cut import Cut, cut
from pipeline.streams.deliver import BESIDE, DeliverFeed, Piece
from pipeline.tables import books
from pipeline.tables.audit import audit
from pipeline.tables.first_load import Progress
from pipeline.tables.unpacked import unpacked

LOOK = 1.0
"""Seconds between two looks for changes while the snapshot is laid out."""


@dataclass(slots=True)
class Backfill:
    """The first load of one feed."""

    handler: DeliverFeed
    version: int
    file: Path
    live: bool
    """Nobody reads the changes yet: they are delivered from here."""
    kept: Progress | None
    """How far an earlier start of it came."""
    progress: Progress = field(init=False)
    doubtful: bool = field(default=True)
    """Something of a part that is to come may have an outcome already."""
    isolated: Isolated | None = field(default=None)
    committed_at: datetime | None = field(default=None)
    """When the snapshot's version was."""

    @property
    def checked(self) -> CheckedFeed:
        """The feed and its table."""
        return self.handler.checked

    def run(self, spark: SparkSession) -> int:
        """Send the snapshot; the version up to which changes were delivered, too.

        Raises:
            HoldOutlastedError, StopRequestedError, LeaseLostError, FeedChangedError.
        """
        handler, settings = self.handler, self.handler.runtime.settings
        tasks = settings.delivery.tasks
        rows = snapshot_changes(spark, self.checked.table, self.version)
        counted = count_changes(rows, self.checked.feed, partitions=tasks)
        if not counted.versions:
            return handler.after_version
        self.committed_at = counted.versions[0].committed_at
        handler.book(spark, counted.versions, books.SNAPSHOT)
        where, feed = handler.runtime.where, handler.feed
        self.doubtful = bool(books.recorded(spark, where, feed, self.version, self.version))
        self.progress = self.kept or self._planned(rows, counted)
        self._note("begun", changes=counted.changes)
        audit(spark, settings, "deliver", "backfill.begun", self._words(counted.changes))
        netted = net(
            rows, self.checked.feed, partitions=tasks, unique_inserts=counted.unique_inserts
        )
        try:
            self._parts(spark, netted)
        except WrongMappingError as error:
            handler.waiting.for_mending(spark, str(error), self.version, counted.changes)
        audit(spark, settings, "deliver", "backfill.ended", self._words(counted.changes))
        self._note("ended")
        self.file.unlink(missing_ok=True)
        return self.progress.after

    def _planned(self, rows: DataFrame, counted: Counted) -> Progress:
        """In how many parts the snapshot goes, of which none is done."""
        most = self.handler.runtime.settings.delivery.backfill_rows
        parts = math.ceil(counted.changes / self.handler.rows_a_slice(rows, counted, most))
        return Progress(version=self.version, parts=parts, after=self.handler.after_version)

    def _parts(self, spark: SparkSession, netted: DataFrame) -> None:
        progress = self.progress
        with self._cut(spark, netted) as slice_rows:
            while progress.done < progress.parts:
                self._changes_first(spark, netted)
                first = self.handler.claim.next_number()
                self._send(spark, partial(slice_rows, progress.done), share=True)
                progress.finish(first, self.handler.claim.next_number())
                progress.write(self.file)
                self._note("part")

    @contextmanager
    def _cut(self, spark: SparkSession, netted: DataFrame) -> Iterator[Cut]:
        """The parts; changes are delivered also while the snapshot is laid out for them."""
        delivery, progress = self.handler.runtime.settings.delivery, self.progress
        keep = delivery.site == "tasks" and progress.parts > 1
        pieces = cut(
            netted,
            self.checked,
            slices=progress.parts,
            tasks=delivery.tasks,
            one_version=True,
            keep=keep,
        )

        with ExitStack() as stack, ThreadPoolExecutor(max_workers=1) as beside:

            def laid_out() -> Cut:
                slice_rows = stack.enter_context(pieces)
                if keep and progress.done < progress.parts:
                    slice_rows(progress.done).write.format("noop").mode("overwrite").save()
                return slice_rows

            laying = beside.submit(laid_out)
            while not wait([laying], timeout=LOOK).done:
                self.handler.runtime.stop.pause(0)
                self._changes_first(spark, netted)
            yield laying.result()

    def _changes_first(self, spark: SparkSession, netted: DataFrame) -> None:
        """Deliver what was committed since, with what must go before it."""
        if not self.live:
            return
        progress = self.progress
        current = current_version(spark, self.checked.table)
        if current <= progress.after:
            return
        changes = read_changes(spark, self.checked.table, progress.after + 1, current)
        self._ahead(spark, changes, netted)
        self.handler.deliver(changes, origin=books.COMMIT, batch=BESIDE)
        progress.after = current
        progress.write(self.file)

    def _ahead(self, spark: SparkSession, changes: DataFrame, netted: DataFrame) -> None:
        """Send the snapshot's rows of who changed, where their part is still to come."""
        delivery, progress = self.handler.runtime.settings.delivery, self.progress
        changed = net(changes, self.checked.feed, partitions=delivery.tasks)
        bad = split(changed, self.checked) if self.checked.fallible else None
        waits = F.col(ID).isNotNull() & (part_of(progress.parts) >= progress.done)
        ids = narrowed(changed, self.checked, bad).where(waits).select(ID).distinct().persist()
        try:
            if ids.isEmpty():
                return
            if self.checked.fallible and self.isolated is None:
                self.isolated = split(netted, self.checked)
            theirs = narrowed(netted, self.checked, self.isolated).join(ids, ID, "left_semi")
            slices = math.ceil(theirs.count() / delivery.backfill_rows)

            def rows_of(number: int) -> DataFrame:
                some = theirs.where(part_of(slices) == number)
                return drafted(
                    some, self.checked, partitions=delivery.tasks, one_version=True, in_parts=True
                )

            for number in range(slices):
                self._send(spark, partial(rows_of, number), share=False)
                self.doubtful = True
        finally:
            ids.unpersist()

    def _send(self, spark: SparkSession, rows: "partial[DataFrame]", *, share: bool) -> None:
        policy = self.handler.runtime.settings.rate
        self.handler.oldest = self.committed_at
        piece = Piece(
            rows=rows,
            versions=(self.version, self.version),
            known=partial(self._known, spark),
            share=policy.backfill_share if share else 1.0,
        )
        self.handler.slice_until_done(spark, piece, None)

    def _known(self, spark: SparkSession, repeated: bool) -> frozenset[bytes]:  # noqa: FBT001
        """Ids that have an outcome, but for those of parts that are done: no part has them."""
        if not (repeated or self.doubtful):
            return frozenset()
        rows = (
            unpacked(self.handler.runtime.where.place(OUTCOMES).read(spark))
            .where((F.col("feed") == self.handler.feed) & (F.col("job") == "deliver"))
            .where(F.col("kind").isin(*MESSAGE_KINDS) & (F.col("source_version") == self.version))
        )
        for first, last in self.progress.ranges:
            rows = rows.where(~F.col("slice").between(first, last))
        ids = rows.select("message_id").toArrow()["message_id"].to_pylist()
        return frozenset(one.encode() for one in ids)

    def _note(self, what: str, **more: int) -> None:
        logger(feed=self.handler.feed).info(
            f"backfill.{what}",
            version=self.version,
            done=self.progress.done,
            parts=self.progress.parts,
            after_version=self.progress.after,
            **more,
        )

    def _words(self, changes: int) -> dict[str, object]:
        words = {"feed": self.handler.feed, "version": self.version, "changes": changes}
        return {**words, "parts": self.progress.parts, "done": self.progress.done}
