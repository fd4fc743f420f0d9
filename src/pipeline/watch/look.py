"""One look: figures, findings, what changed against the alerts that fire, tell it once.

What fires is read back from `alerts` at the start, so that a restart tells nobody twice.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.core.alarm import ALERTS as SEVERITIES
from pipeline.core.alarm import Change, FeedFigures, Finding, Limits, anchor, changes, judge
from pipeline.core.levels import unusual
from pipeline.core.records import ALERTS, FIGURES
from pipeline.log import logger
from pipeline.settings import Settings
from pipeline.source.feed_files import load_feeds
from pipeline.tables.alerts import Alert, alert
from pipeline.tables.layout import layout
from pipeline.watch import measure, quality, tell
from pipeline.watch.export import Latest

Role = Literal["drain", "deliver"]
"""Drain looks at everything but itself, which deliver looks at."""
OURS: Final = {"deliver": ("drain.stuck",)}
UNWRITABLE: Final = "tables.unwritable"
_TOLD: Final = ("alert", "severity", "metric", "value", "expected", "detail", "feed")
WAITING: Final = 200
"""Notices that a webhook has not taken; the oldest are dropped."""


@dataclass(slots=True)
class Watch:
    """What one process that watches remembers from look to look."""

    spark: SparkSession
    settings: Settings
    role: Role
    limits: Limits = field(default_factory=Limits)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    firing: set[tuple[str, str | None]] | None = None
    known: measure.History | None = None
    known_at: datetime | None = None
    lost: dict[str, int] = field(default_factory=dict)
    lost_at: datetime | None = None
    unwritable: set[str] = field(default_factory=set)
    """Tables that could not be written when that was tried last."""
    quality_at: datetime | None = None
    told: datetime = field(default_factory=lambda: datetime.now(UTC))
    latest: Latest | None = None
    """Where the figures go as OpenTelemetry metrics, if anywhere."""
    notices: dict[int, deque[Alert]] = field(default_factory=dict)
    """By webhook: what it has not taken yet."""

    def look(self) -> tuple[Change, ...]:
        """Look once; what changed. An error in here is logged, and the next look goes on."""
        try:
            if self.firing is None:
                self.firing = firing(self.spark, self.settings, self.role)
            changed = changes(self.firing, self._findings(datetime.now(UTC)))
        except Exception as error:  # noqa: BLE001  a look is not worth a stream
            logger().warning("watch.failed", error=type(error).__name__)
            self._tell()
            return ()
        self._note(changed)
        self._queue(self._others())
        self._tell()
        return changed

    def _others(self) -> list[Alert]:
        """What others found since the last look that has no end: it is told as well."""
        if self.role != "drain" or not self.settings.observe.webhooks:
            return []
        since, self.told = self.told, datetime.now(UTC)
        rows = layout(self.settings).place(ALERTS).read(self.spark)
        found = rows.where(F.col("state").isNull() & (F.col("recorded_at") > F.lit(since)))
        return [
            Alert(
                **{name: row[name] for name in _TOLD},
                runbook=f"{self.settings.observe.runbook}#{anchor(row['alert'])}",
            )
            for row in found.collect()
        ]

    def _findings(self, now: datetime) -> tuple[Finding, ...]:
        match self.role:
            case "deliver":
                return self._of_drain(now)
            case "drain":
                feeds = load_feeds(Path(self.settings.sources.feeds))
                figures = measure.figures(
                    self.spark, self.settings, feeds, self._history(now), self._missing(now)
                )
                held = measure.held(self.spark, self.settings)
                if self.latest is not None:
                    self.latest.feeds, self.latest.holds = figures, held
                self._keep(figures)
                self._quality(now)
                hour = (now - timedelta(minutes=30)).replace(minute=0, second=0, microsecond=0)
                levels = (found for one in figures for found in unusual(one, hour))
                return (*judge(figures, held, self.limits, now), *levels)

    def _keep(self, figures: tuple[FeedFigures, ...]) -> None:
        """Keep the figures; where that fails, that is told, and they are judged all the same."""
        try:
            measure.keep(self.spark, self.settings, figures)
        except Exception as error:  # noqa: BLE001  tried again at the next look
            logger().warning("figures.not_written", error=type(error).__name__)
            self._cannot_write(FIGURES.name)
        else:
            self._can_write(FIGURES.name)

    def _quality(self, now: datetime) -> None:
        """Once an hour, and not at the first look: a start has enough to do."""
        if self.quality_at is None:
            self.quality_at = now
        elif now - self.quality_at > quality.EVERY:
            self.quality_at = now
            try:
                quality.look(self.spark, self.settings)
            except Exception as error:  # noqa: BLE001  tried again in an hour
                logger().warning("quality.failed", error=type(error).__name__)

    def _of_drain(self, now: datetime) -> tuple[Finding, ...]:
        seconds = measure.drain_seconds(self.spark, self.settings)
        since = (now - self.began).total_seconds()
        quiet = since if seconds is None else min(seconds, since)
        limit = self.limits.stuck.total_seconds()
        if quiet <= limit:
            return ()
        return (
            Finding(
                alert="drain.stuck",
                feed=None,
                metric="quiet_seconds",
                value=quiet,
                expected=f"a report within {limit:.0f} s",
                detail="drain does not run, or is stuck: what waits is not sent",
            ),
        )

    def _history(self, now: datetime) -> measure.History:
        if (
            self.known is None
            or self.known_at is None
            or now - self.known_at > measure.HISTORY_EVERY
        ):
            self.known, self.known_at = measure.history(self.spark, self.settings), now
        return self.known

    def _missing(self, now: datetime) -> dict[str, int]:
        if self.lost_at is None or now - self.lost_at > measure.MISSING_EVERY:
            self.lost = measure.missing(self.spark, self.settings, self.limits)
            self.lost_at = now
        return self.lost

    def _note(self, changed: tuple[Change, ...]) -> None:
        """Append what changed; where that fails, that is what has to be told."""
        rows = [self._row(one) for one in changed]
        try:
            alert(self.spark, layout(self.settings), *rows)
        except Exception as error:  # noqa: BLE001  told, and tried again at the next look
            logger().error("alerts.not_written", error=type(error).__name__)
            self._cannot_write(ALERTS.name)
            return
        if rows:
            self._can_write(ALERTS.name)
        assert self.firing is not None  # noqa: S101  read at the first look
        for one in changed:
            key = (one.name, one.feed)
            (self.firing.discard if one.finding is None else self.firing.add)(key)
        self._queue(rows)

    def _cannot_write(self, table: str) -> None:
        if not self.unwritable:
            self._queue([_unwritable("firing")])
        self.unwritable.add(table)

    def _can_write(self, table: str) -> None:
        if self.unwritable == {table}:
            self._queue([_unwritable("recovered")])
        self.unwritable.discard(table)

    def _row(self, one: Change) -> Alert:
        found = one.finding
        runbook = f"{self.settings.observe.runbook}#{anchor(one.name)}"
        if found is None:
            return Alert(
                alert=one.name,
                severity="info",
                metric="",
                value=0.0,
                expected="",
                detail="recovered",
                feed=one.feed,
                state="recovered",
                runbook=runbook,
            )
        return Alert(
            alert=one.name,
            severity=found.severity,
            metric=found.metric,
            value=found.value,
            expected=found.expected,
            detail=found.detail,
            feed=one.feed,
            state="firing",
            runbook=runbook,
        )

    def _queue(self, rows: Iterable[Alert]) -> None:
        for number, _ in enumerate(self.settings.observe.webhooks):
            self.notices.setdefault(number, deque(maxlen=WAITING)).extend(rows)

    def _tell(self) -> None:
        """Post what waits; what is not taken waits for the next look."""
        for number, hook in enumerate(self.settings.observe.webhooks):
            waiting = self.notices.get(number)
            if not waiting:
                continue
            bodies = [
                tell.body(hook.kind, self.settings.target, one, one.runbook or "")
                for one in waiting
            ]
            for _ in range(tell.post(hook.url.get_secret_value(), bodies)):
                waiting.popleft()


def firing(spark: SparkSession, settings: Settings, role: Role) -> set[tuple[str, str | None]]:
    """The alerts of this role that fire, as the table has them."""
    rows = (
        layout(settings)
        .place(ALERTS)
        .read(spark)
        .where(F.col("state").isNotNull())
        .groupBy("alert", "feed")
        .agg(F.max_by("state", "recorded_at").alias("state"))
        .where(F.col("state") == "firing")
        .collect()
    )
    found = {(row["alert"], row["feed"]) for row in rows}
    ours = OURS["deliver"]
    return {key for key in found if (key[0] in ours) == (role == "deliver")}


def _unwritable(state: Literal["firing", "recovered"]) -> Alert:
    return Alert(
        alert=UNWRITABLE,
        severity=SEVERITIES[UNWRITABLE],
        metric="",
        value=0.0,
        expected="tables that can be written",
        detail="the pipeline's tables cannot be written: nothing is sent until they can",
        state=state,
        runbook=f"docs/runbook.md#{anchor(UNWRITABLE)}",
    )
