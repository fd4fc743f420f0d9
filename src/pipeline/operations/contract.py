"""Hold a table's rows against its feed: what would be refused, and what looks wrong.

Errors are what `deliver` would refuse or could not tell apart; warnings are what it would send
although it looks like a mistake. Samples are row keys, never values.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.api.limits import Limits
from pipeline.core.feed import Feed, FeedError
from pipeline.core.personal import VALUE_PATTERNS, is_declared, is_named_so
from pipeline.operations.selection import Choice, checked_feed, select
from pipeline.operations.trial import mapped
from pipeline.settings import Settings
from pipeline.source.checked import CheckedFeed
from pipeline.source.rules import blank
from pipeline.source.view import KEY

SAMPLES: Final = 3
NEAR: Final = 0.8
"""Of a limit: more is said before it is over."""
FUTURE: Final = timedelta(days=1)
"""An event may be this far ahead of its commit: clocks and zones differ."""
PAST: Final = timedelta(days=3650)
"""An event that was this long before its commit has a date that somebody made up."""
_CONTENT: Final = "map<string,string>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with some rows, or with the feed."""

    check: str
    """A short code, such as refused, key_null, event_in_future."""
    severity: Literal["error", "warning"]
    what: str
    """In words, nothing personal."""
    rows: int
    keys: tuple[str, ...] = ()
    """Row keys of a few of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What was looked at for one feed, and what was found."""

    feed: str
    file: str
    chosen: str
    changes: int
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing would be refused."""
        return not any(one.severity == "error" for one in self.findings)

    def without_samples(self) -> "Contract":
        """The same without row keys, which may be ids of people."""
        return replace(self, findings=tuple(replace(one, keys=()) for one in self.findings))


CHECKS: Final = {
    "feed": "the feed fits its table",
    "mapping": "each row can be mapped",
    "refused": "no call is refused",
    "key_null": "row keys are there and not blank",
    "key_duplicate": "a row key is in a commit once",
    "event_in_future": "no event is in the future",
    "event_far_past": "no event is far in the past",
    "near_limit": "calls and attributes stay well below the limits",
    "personal_data": "personal data in properties is declared",
}
"""Every check, in the order in which reports have them, and what it holds."""


def contract(spark: SparkSession, settings: Settings, feed: Feed, choice: Choice) -> Contract:
    """Check *feed* against its table, then the rows that *choice* means."""
    words, changes = "nothing was read", 0
    try:
        checked = checked_feed(spark, settings, feed)
    except FeedError as error:
        found = [_of_feed(feed, line) for line in str(error).splitlines()]
        return _contract(feed, words, changes, found)
    selected = select(spark, checked, choice, settings.delivery.tasks)
    words, changes = selected.words, selected.taken
    findings = list(_of_keys(selected.netted, checked))
    try:
        drafts = mapped(selected.netted, checked).persist()
    except FeedError as error:
        reason = str(error).removeprefix(f"{feed.file}: ")
        findings.append(Finding(check="mapping", severity="error", what=reason, rows=0))
        return _contract(feed, words, changes, findings)
    try:
        findings += _refused(drafts, settings.limits)
        findings += _times(drafts, feed)
        findings += _sizes(drafts, settings.limits)
        findings += _personal(drafts, feed)
    finally:
        drafts.unpersist()
    return _contract(feed, words, changes, findings)


def _contract(feed: Feed, words: str, changes: int, findings: Iterable[Finding]) -> Contract:
    order = list(CHECKS)
    return Contract(
        feed=feed.name,
        file=feed.file,
        chosen=words,
        changes=changes,
        findings=tuple(sorted(findings, key=lambda one: (order.index(one.check), -one.rows))),
    )


def _of_feed(feed: Feed, line: str) -> Finding:
    what = line.removeprefix(f"{feed.file}: ")
    return Finding(check="feed", severity="error", what=what, rows=0)


def _samples(condition: Column | None = None, key: str = KEY) -> Column:
    one = F.col(key) if condition is None else F.when(condition, F.col(key))
    return F.slice(F.sort_array(F.collect_set(one)), 1, SAMPLES)


def _of_keys(netted: DataFrame, checked: CheckedFeed) -> Iterator[Finding]:
    """Null, blank and repeated row keys; a feed without a row key has none to look at."""
    if not checked.feed.row_key:
        return
    columns = [F.col("row").getField(_as_named(name, checked)) for name in checked.feed.row_key]
    missing = {
        name: F.coalesce(blank(column.cast("string")), F.lit(True))
        for name, column in zip(checked.feed.row_key, columns, strict=True)
    }
    repeated = F.col("ordinal") > 0
    one = netted.agg(
        *(F.count_if(bad).alias(f"n{i}") for i, bad in enumerate(missing.values())),
        *(_samples(bad, "key").alias(f"k{i}") for i, bad in enumerate(missing.values())),
        F.count_if(repeated).alias("repeated"),
        _samples(repeated, "key").alias("repeated_keys"),
    ).collect()[0]
    for i, name in enumerate(missing):
        if one[f"n{i}"]:
            yield Finding(
                check="key_null",
                severity="error",
                what=f"{name} is null or blank",
                rows=one[f"n{i}"],
                keys=tuple(one[f"k{i}"]),
            )
    if one["repeated"]:
        yield Finding(
            check="key_duplicate",
            severity="error",
            what="a row key stands more than once in one commit: which of its rows is the person's "
            "last is then left to chance",
            rows=one["repeated"],
            keys=tuple(one["repeated_keys"]),
        )


def _as_named(name: str, checked: CheckedFeed) -> str:
    """The column's own spelling: Spark finds columns whatever their case, fields too."""
    return next((one for one in checked.schema.names if one.lower() == name.lower()), name)


def _refused(drafts: DataFrame, limits: Limits) -> Iterator[Finding]:
    """Dead letters of mapping and validation, and what sealing refuses for its size."""
    too_large = (_call_bytes() > limits.call_bytes) & F.col("kind").isNull()
    found = (
        drafts.where((F.col("kind") == "dead") | too_large)
        .groupBy(
            F.coalesce("stage", F.lit("size")).alias("stage"),
            F.coalesce("reason", F.lit("call_too_large")).alias("reason"),
            "detail",
            "event",
            "call_type",
        )
        .agg(F.count("*").alias("rows"), _samples().alias("keys"))
        .collect()
    )
    for row in found:
        call = row["event"] or row["call_type"] or "a call"
        field = f" in {row['detail']}" if row["detail"] else ""
        yield Finding(
            check="refused",
            severity="error",
            what=f"{call}: {row['reason']}{field} (stage {row['stage']})",
            rows=row["rows"],
            keys=tuple(row["keys"]),
        )


def _times(drafts: DataFrame, feed: Feed) -> Iterator[Finding]:
    """Event times that are not near their commit; a feed without event times has none."""
    if feed.event_time is None:
        return
    at = F.try_to_timestamp(F.get_json_object("body", "$.timestamp"))
    now = F.greatest(F.col("committed_at"), F.lit(datetime.now(UTC)))
    ahead = F.coalesce(at > now + F.lit(FUTURE), F.lit(False))
    long_ago = F.coalesce(at < F.col("committed_at") - F.lit(PAST), F.lit(False))
    one = (
        drafts.where(F.col("kind").isNull())
        .agg(
            F.count_if(ahead).alias("ahead"),
            _samples(ahead).alias("ahead_keys"),
            F.count_if(long_ago).alias("past"),
            _samples(long_ago).alias("past_keys"),
        )
        .collect()[0]
    )
    for check, name, what in (
        ("event_in_future", "ahead", f"event_time is more than {FUTURE.days} day from now"),
        ("event_far_past", "past", f"event_time is more than {PAST.days // 365} years ago"),
    ):
        if one[name]:
            yield Finding(
                check=check,
                severity="warning",
                what=what,
                rows=one[name],
                keys=tuple(one[f"{name}_keys"]),
            )


def _call_bytes() -> Column:
    """Bytes of a call, without the comma that its body ends with."""
    return F.octet_length("body") - 1


def _sizes(drafts: DataFrame, limits: Limits) -> Iterator[Finding]:
    """Calls and attributes above 80% of what is taken."""
    sent = drafts.where(F.col("kind").isNull())
    near = (_call_bytes() > NEAR * limits.call_bytes) & (_call_bytes() <= limits.call_bytes)
    one = sent.agg(F.count_if(near).alias("rows"), _samples(near).alias("keys")).collect()[0]
    if one["rows"]:
        yield Finding(
            check="near_limit",
            severity="warning",
            what=f"calls above {NEAR:.0%} of {limits.call_bytes:,} bytes",
            rows=one["rows"],
            keys=tuple(one["keys"]),
        )
    large = F.octet_length("value") > NEAR * limits.attribute_value_bytes
    for row in (
        _members(sent, "traits")
        .where(large)
        .groupBy("name")
        .agg(F.count("*").alias("rows"), _samples().alias("keys"))
        .collect()
    ):
        yield Finding(
            check="near_limit",
            severity="warning",
            what=f"traits.{row['name']} above {NEAR:.0%} of {limits.attribute_value_bytes:,} bytes",
            rows=row["rows"],
            keys=tuple(row["keys"]),
        )


def _members(drafts: DataFrame, what: str) -> DataFrame:
    """A row for each trait or property of each call: name, value as text, row key."""
    content = F.from_json(F.get_json_object("body", f"$.{what}"), _CONTENT)
    return drafts.select(KEY, F.explode(content).alias("name", "value"))


def _personal(drafts: DataFrame, feed: Feed) -> Iterator[Finding]:
    """Properties that look personal by name or value and that the feed does not declare."""
    looks = {kind: F.col("value").rlike(one) for kind, one in VALUE_PATTERNS.items()}
    found = (
        _members(drafts.where(F.col("kind").isNull()), "properties")
        .where(F.col("value").isNotNull())
        .groupBy("name")
        .agg(
            F.count("*").alias("rows"),
            _samples().alias("keys"),
            *(F.count_if(c).alias(f"c{i}") for i, c in enumerate(looks.values())),
            *(_samples(c).alias(f"k{i}") for i, c in enumerate(looks.values())),
        )
        .collect()
    )
    for row in found:
        name = f"properties.{row['name']}"
        if is_declared(name, feed.personal_data):
            continue
        by_value = [(kind, i) for i, kind in enumerate(looks) if row[f"c{i}"]]
        for kind, i in by_value:
            yield _undeclared(f"{name} holds what looks like {kind}", row[f"c{i}"], row[f"k{i}"])
        if not by_value and is_named_so(row["name"]):
            yield _undeclared(f"{name} is named as personal data is", row["rows"], row["keys"])


def _undeclared(what: str, rows: int, keys: Iterable[str]) -> Finding:
    return Finding(
        check="personal_data",
        severity="warning",
        what=f"{what}: leave it out, or declare it in the feed's personal_data",
        rows=rows,
        keys=tuple(keys),
    )
