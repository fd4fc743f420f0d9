"""What a feed waits for: the destination, somebody's word, a mended file, or a shorter queue."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

from pyspark.sql import SparkSession

from pipeline.core.feed import FeedError
from pipeline.source.checked import CheckedFeed
from pipeline.streams.claim import Claim
from pipeline.streams.hold import DETAILS, Hold
from pipeline.streams.recheck import current_feed
from pipeline.streams.retention import RetentionWatch
from pipeline.streams.runtime import FeedChangedError, Runtime
from pipeline.tables import commands

DELETE_GUARD: Final = "delete_guard"
MAPPING: Final = "mapping"
QUEUE_DEPTH: Final = "queue_depth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One feed's holds, while changes wait of which the first were committed at *oldest*."""

    runtime: Runtime
    claim: Claim
    job: str
    checked: CheckedFeed
    oldest: datetime

    def for_destination(
        self, spark: SparkSession, reason: str, version: int, messages: int
    ) -> bool:
        """Until the destination is well; whether the source overflows, so that nothing may wait.

        Raises:
            HoldOutlastedError, StopRequestedError, LeaseLostError; so do all others.
        """
        hold = self._hold(reason, DETAILS[reason], version, messages)
        return hold.wait_for_destination(spark, self._watch())

    def for_release(self, spark: SparkSession, reason: str, version: int, messages: int) -> None:
        """Until somebody lets the feed go on, unless that was said before.

        Raises:
            FeedChangedError: its file was corrected instead.
        """
        where, name = self.runtime.where, self.checked.feed.name

        def released() -> bool:
            upto = commands.released_upto(spark, where, name)
            return upto is not None and upto >= version

        if released():
            return
        command = f"pipeline hold release --feed {name} --version {version}"
        detail = f"waits for somebody: a corrected feed file, or: {command}"
        hold = self._hold(reason, detail, version, messages)
        self._until_somebody(spark, hold, lambda: released() or self._changed())
        if not released():
            raise FeedChangedError(name)

    def for_mending(self, spark: SparkSession, why: str, version: int, changes: int) -> NoReturn:
        """Until the feed's file says something else; it starts again with that.

        Raises:
            FeedChangedError: when it does.
        """
        detail = f"{why}; goes on by itself when the feed file is mended"
        hold = self._hold(MAPPING, detail, version, changes)
        self._until_somebody(spark, hold, self._changed)
        raise FeedChangedError(self.checked.feed.name)

    def for_shorter_queue(
        self, spark: SparkSession, depth: int, version: int, well: Callable[[], bool]
    ) -> bool:
        """Until drain has brought the queue down (*well*); whether the source overflows."""
        watch = self._watch()
        most = self.runtime.settings.delivery.holds.queue_entities
        detail = f"{depth:,} people wait in the queue, more than {most:,}: drain brings it down"
        hold = self._hold(QUEUE_DEPTH, detail, version, depth)
        hold.wait_for(spark, lambda: well() or watch.overflows(spark))
        return watch.overflows(spark)

    def _until_somebody(self, spark: SparkSession, hold: Hold, did: Callable[[], bool]) -> None:
        """Wait for a person, who *did* something; what waits so goes nowhere meanwhile."""
        watch = self._watch()

        def over() -> bool:
            watch.overflows(spark)  # for its alerts
            return did()

        hold.wait_for(spark, over)

    def _changed(self) -> bool:
        """Whether the feed's file says something else by now; one that is broken does not yet."""
        try:
            return current_feed(self.runtime, self.checked.feed) != self.checked.feed
        except FeedError:
            return False

    def _watch(self) -> RetentionWatch:
        return RetentionWatch(self.runtime.where, self.checked, self.oldest)

    def _hold(self, reason: str, detail: str, version: int, messages: int) -> Hold:
        return Hold(
            runtime=self.runtime,
            claim=self.claim,
            job=self.job,
            feed=self.checked.feed.name,
            reason=reason,
            detail=detail,
            source_version=version,
            messages=messages,
        )
