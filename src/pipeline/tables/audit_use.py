"""Audit a use of the API key by something else than a job."""

from pyspark.sql import SparkSession

from pipeline.core.records import AUDIT_LOG
from pipeline.keys import Secrets, fingerprint
from pipeline.settings import Settings
from pipeline.tables.audit import audit
from pipeline.tables.layout import layout

USED = "key.used"


def audit_use(spark: SparkSession, settings: Settings, secrets: Secrets, command: str) -> bool:
    """One entry: which command used which key. False where a target has no audit log yet."""
    if not layout(settings).place(AUDIT_LOG).exists(spark):
        return False
    detail = {"command": command, "api_key": fingerprint(secrets.api_key)}
    audit(spark, settings, "cli", USED, detail)
    return True
