"""What facts about a target mean: ok, a finding with what to do, or unknown. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from pipeline.core.outcome import Accepted, Held, Mixed, Outcome, Rejected, Retryable

State = Literal["ok", "finding", "unknown"]

SPARK: Final = (4, 0)
RUNTIME: Final = (17, 3)
DATE_RESOLUTION: Final = timedelta(seconds=1)
KEPT_AT_LEAST: Final = timedelta(days=3)
"""A hold over a weekend must not outlast the source's change feed."""
USED_AT_MOST: Final = 0.5
"""Of the source's retention: beyond it, somebody should look."""
OLD: Final = timedelta(hours=24)
"""A message that waits longer than the longest pause between attempts is stuck."""
DELTA_DEFAULTS: Final = {
    "delta.logRetentionDuration": "interval 30 days",
    "delta.deletedFileRetentionDuration": "interval 7 days",
}
_UNITS: Final = {
    "microsecond": 1e-6, "millisecond": 1e-3, "second": 1, "minute": 60, "hour": 3600,
    "day": 86_400, "week": 604_800,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    says: str
    todo: str = ""


def ok(name: str, says: str) -> Check:
    """All is well."""
    return Check(name=name, state="ok", says=says)


def finding(name: str, says: str, todo: str) -> Check:
    """Something to mend, and how."""
    return Check(name=name, state="finding", says=says, todo=todo)


def unknown(name: str, says: str) -> Check:
    """It could not be looked at."""
    return Check(name=name, state="unknown", says=says)


def versions(spark: str, runtime: str | None, delta: str | None) -> Check:
    """Spark's own version, and the Databricks runtime's where there is one."""
    said = f"Spark {spark}" + (f", Databricks runtime {runtime}" if runtime else "")
    said += f", Delta {delta}" if delta else ""
    old = _numbers(spark) < SPARK
    if runtime and not runtime.startswith("client."):  # serverless counts its own clients
        old = old or _numbers(runtime) < RUNTIME
    if old:
        return finding(
            "versions",
            said,
            "use runtime 17.3 LTS or later (Spark 4.0), see bundles/databricks.yml",
        )
    return ok("versions", said)


def session(wanted: Mapping[str, str], found: Mapping[str, str | None]) -> Check:
    """The session settings that the code relies on."""
    wrong = sorted(name for name, value in wanted.items() if found.get(name) != value)
    if not wrong:
        return ok("session", f"{len(wanted)} settings are as the code needs them")
    listed = ", ".join(f"{name} is {found.get(name)}, not {wanted[name]}" for name in wrong)
    return finding("session", listed, "set them on the cluster; serverless may refuse some")


def tables(misfits: Mapping[str, str | None]) -> Check:
    """The pipeline's own tables, by name: None, or why they don't fit."""
    wrong = {name: reason for name, reason in misfits.items() if reason is not None}
    if not wrong:
        return ok("tables", f"{len(misfits)} tables, format and columns as this version writes")
    name, reason = next(iter(sorted(wrong.items())))
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return finding("tables", f"{name}{more}: {reason}", "pipeline tables migrate")


def retention(feed: str, properties: Mapping[str, str], behind: timedelta | None) -> Check:
    """Whether the source keeps its change feed long enough for what was not read yet."""
    name = f"retention of {feed}"
    kept = min(
        duration(properties.get(key, default)) or timedelta.max
        for key, default in DELTA_DEFAULTS.items()
    )
    said = f"the source keeps changes for {_days(kept)}"
    mend = (
        "ALTER TABLE ... SET TBLPROPERTIES ('delta.deletedFileRetentionDuration' = "
        "'interval 14 days'), and vacuum no sooner"
    )
    if behind is not None and behind > kept * USED_AT_MOST:
        return finding(name, f"{said}; the oldest unread change is {_days(behind)} old", mend)
    if kept < KEPT_AT_LEAST:
        return finding(name, f"{said}: a hold over a weekend would lose some", mend)
    return ok(name, said)


def key(outcome: Outcome, fingerprint: str, url: str) -> Check:
    """What the API said to a strict request that must be refused for its content."""
    match outcome:
        case Rejected() | Mixed():
            return ok("key accepted", f"{fingerprint} at {url}")
        case Accepted():
            return finding(
                "key accepted",
                f"{url} took an empty batch: strict mode is off, or it is not Customer.io",
                "set destination.strict: true, and look at destination.base_url",
            )
        case Held(reason=reason):
            return finding(
                "key accepted",
                f"{url} refuses key {fingerprint} ({reason})",
                "copy the write key of the Data Pipelines source: pipeline key set; or the "
                "workspace is in the other region: destination.region",
            )
        case Retryable(reason=reason):
            return unknown("key accepted", f"{url} did not answer as usual ({reason})")


def network(where: str, host: str, reason: str | None) -> Check:
    """Whether the destination can be reached from *where*: the driver, or a task."""
    name = f"network from {where}"
    if reason is None:
        return ok(name, f"{host} can be reached")
    if where == "tasks":
        todo = "delivery.site: driver; or a cluster in dedicated access mode"
    else:
        todo = "allow it in the workspace's network policy or egress firewall"
    return finding(name, f"{host} can't be reached ({reason})", todo)


def clock(ours: datetime, theirs: datetime | None, tolerance: timedelta) -> Check:
    """This machine's clock against the destination's."""
    if theirs is None:
        return unknown("clock", "the destination sent no date to compare with")
    off = abs(ours - theirs)
    said = f"{off.total_seconds():.0f} s from the destination's"
    if off > tolerance + DATE_RESOLUTION:
        return finding("clock", said, "set the machine's clock (NTP); deadlines rely on it")
    return ok("clock", said)


def queue(waiting: int, oldest: timedelta | None, holds: Sequence[str]) -> tuple[Check, Check]:
    """What waits in the retry queue, and which feeds hold."""
    said = f"{waiting:,} messages wait" + (f", the oldest since {_days(oldest)}" if oldest else "")
    waits = (
        finding("queue", said, "pipeline queue list; is drain running?")
        if oldest is not None and oldest > OLD
        else ok("queue", said)
    )
    if not holds:
        return waits, ok("holds", "no feed holds")
    return waits, finding("holds", "; ".join(holds), "pipeline hold list says what each waits for")


def duration(text: str) -> timedelta | None:
    """Delta's `interval 7 days` as a duration; None where it is written otherwise."""
    seconds, matched = 0.0, False
    for number, unit in re.findall(r"(\d+)\s+([a-z]+?)s?\b", text.lower()):
        if unit not in _UNITS:
            return None
        seconds, matched = seconds + int(number) * _UNITS[unit], True
    return timedelta(seconds=seconds) if matched else None


def _numbers(version: str) -> tuple[int, int]:
    found = re.findall(r"\d+", version)[:2]
    return (int(found[0]), int(found[1])) if len(found) == 2 else (0, 0)  # noqa: PLR2004


def _days(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.1f} h"  # noqa: PLR2004
