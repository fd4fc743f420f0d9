"""Audit the start of a job: which keys it uses, and what changed in its settings and feeds."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from pipeline.keys import Secrets, fingerprint
from pipeline.settings import Settings
from pipeline.tables.audit import audit, entries

STARTED = "process.started"
CHANGED = "settings.changed"


def audit_start(spark: SparkSession, settings: Settings, secrets: Secrets, job: str) -> None:
    """One entry for the start; one before it where settings or feeds are not those of the last."""
    now = described(settings)
    before = _before(spark, settings, job)
    if before != now:
        changed = {} if before is None else difference(before, now)
        audit(spark, settings, job, CHANGED, {"changed": changed, "settings": now})
    audit(
        spark,
        settings,
        job,
        STARTED,
        {
            "api_key": fingerprint(secrets.api_key),
            "encryption_key": secrets.payload_keys.current,
            "encryption_keys": sorted(secrets.payload_keys.keys),
        },
    )


def described(settings: Settings) -> dict[str, Any]:
    """Settings by dotted name, and each feed file's hash; there are no secrets among them."""
    flat = dict(_flat("", settings.model_dump(mode="json")))
    for file in sorted(Path(settings.sources.feeds).glob("*.yml")):
        flat[f"feed {file.stem}"] = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    return flat


def difference(before: dict[str, Any], now: dict[str, Any]) -> dict[str, list[Any]]:
    """What changed: name to old and new."""
    return {
        name: [before.get(name), now.get(name)]
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    }


def _flat(path: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return [(path, value)]
    return [
        pair
        for name, inner in value.items()
        for pair in _flat(f"{path}.{name}" if path else str(name), inner)
    ]


def _before(spark: SparkSession, settings: Settings, job: str) -> dict[str, Any] | None:
    """The settings that the job's last start saw."""
    seen = [e for e in entries(spark, settings, action=CHANGED) if e.writer == job]
    found: dict[str, Any] | None = json.loads(seen[-1].detail)["settings"] if seen else None
    return found
