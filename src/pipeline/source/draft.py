"""Net changes to drafts: mapped, checked, in each entity's order, ready to be sealed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipeline.core.draft import ENVELOPE, NAMES
from pipeline.core.feed_model import ConsentTable, ObjectEntity, PersonEntity
from pipeline.source.body import WITH_NULLS
from pipeline.source.checked import CheckedFeed
from pipeline.source.consents import CONSENT_GIVEN, entity_prefix, with_consent
from pipeline.source.isolated import Isolated
from pipeline.source.parts import part_columns
from pipeline.source.plan import (
    BAD,
    CONSENTED,
    ID,
    PASSED,
    ROW_JSON,
    TIME,
    CallPlan,
    Columns,
    call_plans,
    moment,
)
from pipeline.source.rules import blank
from pipeline.source.view import (
    COMMITTED_AT,
    KEY,
    OPERATION,
    ORDINAL,
    PREFIX,
    VERSION,
    open_changes,
    with_before,
)

BUCKET: Final = f"{PREFIX}bucket"
CALL: Final = f"{PREFIX}call"
DIGEST_BYTES: Final = 16


def drafts(
    netted: DataFrame,
    checked: CheckedFeed,
    *,
    partitions: int,
    bucket: tuple[int, int] | None = None,
    isolated: Isolated | None = None,
    one_version: bool = False,
    in_parts: bool = False,
) -> DataFrame:
    """The drafts (`core.draft.COLUMNS`) of net changes, each entity in one partition, in order.

    *bucket* (i, n) keeps the i-th of n parts of the entities. *isolated* are the rows that
    `isolate.split` found: they become dead letters of stage `map`. The narrow columns are
    shuffled, not the JSON. Changes of *one_version* need no sorting by it, which is faster: a
    sort looks at its first column before anything else, and there it is always the same.
    """
    narrow = narrowed(netted, checked, isolated)
    if bucket is not None:
        part, parts = bucket
        narrow = narrow.where(part_of(parts) == part)
    return drafted(
        narrow, checked, partitions=partitions, one_version=one_version, in_parts=in_parts
    )


def staged(
    netted: DataFrame, checked: CheckedFeed, isolated: Isolated | None, *, parts: int, tasks: int
) -> DataFrame:
    """What `drafted` takes, laid out by the part of the entities (`BUCKET`) that a row is of.

    To be persisted: Spark keeps the least and the greatest value of each cached block of rows,
    so that reading one part passes over the blocks of all others.
    """
    narrow = narrowed(netted, checked, isolated).withColumn(BUCKET, part_of(parts))
    return narrow.repartition(tasks, BUCKET).sortWithinPartitions(BUCKET)


def part_of(parts: int) -> Column:
    """Which of *parts* an entity belongs to."""
    return F.pmod(F.xxhash64(_place()), F.lit(parts))


def _place() -> Column:
    """What keeps its order: the entity, or a row alone where there is none."""
    return F.coalesce(F.col(ID), F.col(KEY))


def drafted(
    narrow: DataFrame,
    checked: CheckedFeed,
    *,
    partitions: int,
    one_version: bool,
    in_parts: bool = False,
) -> DataFrame:
    """Drafts of what `narrowed` or `staged` gave: shuffled by entity, in order, mapped."""
    first = () if one_version else (VERSION,)
    ordered = narrow.repartition(partitions, _place()).sortWithinPartitions(
        *first, *order_columns(checked), KEY, ORDINAL
    )
    return messages(ordered, checked, in_parts=in_parts)


def narrowed(netted: DataFrame, checked: CheckedFeed, isolated: Isolated | None) -> DataFrame:
    """Opened changes with what decides their place: the entity's id, filter, and bad rows."""
    found = isolated.rows if isolated is not None else ()
    bad = isolated.reason() if isolated is not None and found else F.lit(None).cast("string")
    row_json = F.when(bad.isNotNull(), F.to_json("row", WITH_NULLS)) if found else bad
    opened = open_changes(netted, checked.schema, bad.alias(BAD), row_json.alias(ROW_JSON))
    passed = F.lit(True)
    if checked.feed.filter is not None:
        passed = F.coalesce(F.expr(checked.feed.filter), F.lit(False))
    if found:
        passed = F.when(F.col(BAD).isNotNull(), F.lit(False)).otherwise(passed)
    opened = opened.withColumn(PASSED, passed)
    if checked.feed.consent is not None:
        if isinstance(checked.feed.consent, str):
            consented = F.coalesce(F.expr(checked.feed.consent), F.lit(False))
        else:
            opened = _with_consents(opened, checked)
            consented = F.coalesce(F.col(CONSENT_GIVEN), F.lit(False))
        given = F.when(~F.col(PASSED) | (F.col(OPERATION) == "delete"), True).otherwise(consented)
        opened = opened.withColumn(CONSENTED, given).drop(CONSENT_GIVEN)
    return opened.withColumn(ID, _id(checked))


def _id(checked: CheckedFeed) -> Column:
    """The entity's id; not evaluated for rows that are not sent, where that could raise."""
    id_ = F.expr(_entity_id(checked)).cast("string")
    return F.when(F.col(PASSED), id_) if checked.fallible else id_


def _with_consents(opened: DataFrame, checked: CheckedFeed) -> DataFrame:
    table, by = checked.consents, checked.feed.consent
    if table is None or not isinstance(by, ConsentTable):
        raise TypeError(f"feed {checked.feed.name} was checked without its consent table")
    return with_consent(opened, _id(checked), table, by)


def order_columns(checked: CheckedFeed) -> list[Column]:
    """The feed's order within a commit; not evaluated for rows that are not sent."""
    orders = [F.expr(text) for text in checked.feed.order_by]
    return [F.when(F.col(PASSED), one) for one in orders] if checked.fallible else orders


def messages(
    ordered: DataFrame, checked: CheckedFeed, *extra: str, in_parts: bool = False
) -> DataFrame:
    """Map what `narrowed` gave to drafts, row by row, in its order.

    With *in_parts*, the calls' values stand in columns beside the drafts, where the feed has a
    template (`source.parts`), and sealing assembles the calls of them.
    """
    steps = checked.columns.get(in_parts)
    if steps is None:
        steps = checked.columns[in_parts] = _steps(checked, in_parts=in_parts)
    mapped = with_before(_add(ordered, steps.decided), checked.schema, steps.before)
    mapped = _add(_add(mapped, steps.evaluated), steps.finished)
    if steps.calls is not None:
        mapped = mapped.withColumn(CALL, F.explode(steps.calls))
    return mapped.select(*steps.drafts, *extra)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Steps:
    """The columns of each step from an opened change to its drafts."""

    decided: Columns
    before: Columns
    evaluated: Columns
    finished: Columns
    calls: Column | None
    """An array of a change's calls, where there may be several: each becomes a row."""
    drafts: tuple[Column, ...]


def _steps(checked: CheckedFeed, *, in_parts: bool) -> _Steps:
    values = part_columns(checked) if in_parts else {}
    groups = call_plans(checked, assembled=bool(values))
    plans = [plan for group in groups for plan in group]
    time = moment(checked.feed, COMMITTED_AT)
    if checked.feed.event_time is not None:
        time = F.when(F.col(PASSED), time)
    calls, columns = _calls(groups)
    all_columns = {
        **columns,
        "digest": _digest(checked, columns["call_number"]),
        "source_version": F.col(VERSION),
        "committed_at": F.col(COMMITTED_AT),
        "entity": _entity(checked),
    }
    names = (*NAMES, ENVELOPE.name) if checked.feed.has_envelopes else NAMES
    sent = next((plan for plan in plans if plan.assembled), None)
    beside = [sent.guarded(column).alias(name) for name, column in values.items() if sent]
    return _Steps(
        decided=_merged(({TIME: time}, *(plan.decide() for plan in plans))),
        before=_merged(plan.before() for plan in plans),
        evaluated=_merged(plan.evaluate() for plan in plans),
        finished=_merged(plan.finish() for plan in plans),
        calls=calls,
        drafts=(*(all_columns[name].alias(name) for name in names), *beside),
    )


def _calls(groups: tuple[tuple[CallPlan, ...], ...]) -> tuple[Column | None, Columns]:
    """An array of the calls of a change, where there may be several; and the call's own columns."""
    outputs = [[plan.output() for plan in group] for group in groups]
    names = tuple(outputs[0][0])
    applied = [group[0].applies() for group in groups[:-1]]
    if all(len(group) == 1 for group in groups):
        return None, {name: _choose(applied, [one[0][name] for one in outputs]) for name in names}
    arrays = [
        F.array(*(F.struct(*(c.alias(n) for n, c in call.items())) for call in one))
        for one in outputs
    ]
    return _choose(applied, arrays), {name: F.col(CALL).getField(name) for name in names}


def _choose(applied: list[Column], columns: list[Column]) -> Column:
    """The column of the group that a row's operation belongs to: of the last where no other is."""
    chosen = columns[-1]
    for applies, column in zip(applied, columns[:-1], strict=True):
        chosen = F.when(applies, column).otherwise(chosen)
    return chosen


def _merged(parts: Iterable[Columns]) -> Columns:
    return {name: column for part in parts for name, column in part.items()}


def _add(frame: DataFrame, columns: Columns) -> DataFrame:
    return frame.withColumns(columns) if columns else frame


def _entity_id(checked: CheckedFeed) -> str:
    match checked.feed.entity:
        case PersonEntity(person=text):
            return text
        case ObjectEntity(object=about):
            return about.id


def _entity(checked: CheckedFeed) -> Column:
    return F.when(~blank(F.col(ID)), F.concat(F.lit(entity_prefix(checked.feed)), F.col(ID)))


def _digest(checked: CheckedFeed, call_number: Column) -> Column:
    """Of all that identifies a message; the key is last, the only part that may hold any text."""
    known = F.lit(f"{checked.feed.name}\n{checked.table_id}\n")
    words = F.concat_ws("\n", VERSION, OPERATION, ORDINAL, call_number, KEY)
    return F.unhex(F.substring(F.sha2(F.concat(known, words), 256), 1, 2 * DIGEST_BYTES))
