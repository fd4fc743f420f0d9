"""Watch a source's retention while its feed holds: the source buffers only as long as it keeps."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from pipeline.core.retention import ALERT_SHARE, OVERFLOW_SHARE, retention, used
from pipeline.source.checked import CheckedFeed
from pipeline.source.locate import table_detail
from pipeline.tables.alerts import Alert, alert
from pipeline.tables.layout import Layout


@dataclass(slots=True)
class RetentionWatch:
    """Of one hold: raises each alert once."""

    where: Layout
    checked: CheckedFeed
    oldest: datetime
    """When the oldest version that waits was committed."""
    _told: set[str] = field(default_factory=set)

    def overflows(self, spark: SparkSession) -> bool:
        """Look; whether so much is used up that the rest must go to the encrypted queue."""
        properties = table_detail(spark, self.checked.table)["properties"] or {}
        share = used(datetime.now(UTC) - self.oldest, retention(properties))
        if share >= OVERFLOW_SHARE:
            self._tell(
                spark,
                Alert(
                    alert="source.overflow",
                    severity="critical",
                    feed=self.checked.feed.name,
                    metric="retention_used",
                    value=round(share, 3),
                    expected=f"below {OVERFLOW_SHARE}",
                    detail="the source will soon drop what was not read: a feed that waits for "
                    "the destination puts the rest into the encrypted queue",
                ),
            )
        elif share >= ALERT_SHARE:
            self._tell(
                spark,
                Alert(
                    alert="source.retention",
                    severity="warning",
                    feed=self.checked.feed.name,
                    metric="retention_used",
                    value=round(share, 3),
                    expected=f"below {ALERT_SHARE}",
                    detail="the feed holds, and half of the source's retention is used up",
                ),
            )
        return share >= OVERFLOW_SHARE

    def _tell(self, spark: SparkSession, found: Alert) -> None:
        if found.alert not in self._told:
            self._told.add(found.alert)
            alert(spark, self.where, found)
