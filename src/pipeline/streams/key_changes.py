"""Take new keys, and write into the audit log which came after which."""

from pyspark.sql import SparkSession

from pipeline.streams.runtime import Runtime
from pipeline.tables.audit import audit

CHANGED = "key.changed"


def audit_key_changes(spark: SparkSession, runtime: Runtime, job: str) -> None:
    """At each slice and tick: read the keys again where it is time, and record what changed."""
    if runtime.live is None:
        return
    runtime.live.current()
    while runtime.live.changes:
        change = runtime.live.changes.popleft()
        detail = {"key": change.what, "before": change.before, "after": change.after}
        audit(spark, runtime.settings, job, CHANGED, detail)
