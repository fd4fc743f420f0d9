"""Let a feed go on that holds for a person's word."""

from uuid import uuid4

from pyspark.sql import SparkSession

from pipeline.settings import Settings
from pipeline.tables import commands
from pipeline.tables.audit import audit
from pipeline.tables.layout import layout
from pipeline.tables.who import who


def release(spark: SparkSession, settings: Settings, feed: str, version: int) -> None:
    """Confirm what a feed holds for, up to a source version; it stands in the audit log."""
    command_id = str(uuid4())
    detail = {"feed": feed, "source_version": version, "command_id": command_id}
    audit(spark, settings, "cli", "command.release", detail)
    commands.wish(
        spark,
        layout(settings),
        command_id,
        "release",
        requested_by=who(spark),
        feed=feed,
        source_version=version,
    )
