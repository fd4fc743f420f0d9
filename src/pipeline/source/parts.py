"""Calls that tasks assemble themselves: their values as columns, in place of the call's JSON."""

from itertools import count
from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pipeline.core.assemble import Part, PartKind, Template
from pipeline.core.feed_calls import Value, Whole, content_name
from pipeline.source.body import WITH_NULLS, WITHOUT_NULLS, value_column
from pipeline.source.checked import CheckedFeed
from pipeline.source.plan import CallPlan, call_plans

COLUMN: Final = "part_"
"""Columns of a call's values, beside those of a draft."""


def parted(checked: CheckedFeed) -> CallPlan | None:
    """The one call that a feed's changes become, where tasks can assemble it; None elsewhere.

    A change of two calls, or operations that become different ones, have no columns in common;
    and where only what differs is sent, each call has members of its own.
    """
    plans = [plan for group in call_plans(checked) for plan in group if plan.call is not None]
    if len(plans) != 1:
        return None
    (one,) = plans
    built = isinstance(one.call, Whole) or one.partial or not one.sent_mapping()
    return None if built else one


def template_of(checked: CheckedFeed) -> Template | None:
    """How tasks assemble the feed's calls; None where Spark builds them."""
    plan = parted(checked)
    return None if plan is None else _template(plan)


def _template(plan: CallPlan) -> Template:
    assert plan.call is not None  # noqa: S101  parted gives no other
    columns = (f"{COLUMN}{number}" for number in count())
    fields = []
    for name in plan.fields():
        constant = plan.constant(name)
        column = None if constant is not None else next(columns)
        kind = PartKind.TIME if name == "timestamp" else PartKind.TEXT
        fields.append(Part(name=name, kind=kind, column=column, constant=constant))
    members = tuple(
        Part(name=name, kind=_kind(plan, name, value), column=next(columns))
        for name, value in plan.sent_mapping().items()
    )
    return Template(
        fields=tuple(fields),
        content=str(content_name(plan.call)),
        members=members,
        nulls=plan.checked.feed.nulls(plan.call),
    )


def part_columns(checked: CheckedFeed) -> dict[str, Column]:
    """The columns that the template of a feed names; none where it has none."""
    plan = parted(checked)
    if plan is None:
        return {}
    template = _template(plan)
    fields, mapping = plan.fields(), plan.sent_mapping()
    options = WITH_NULLS if template.nulls else WITHOUT_NULLS
    columns = {str(p.column): fields[p.name] for p in template.fields if p.column is not None}
    for part in template.members:
        column = value_column(mapping[part.name])
        if part.kind == PartKind.JSON:
            text = F.to_json(F.struct(column.alias("v")), options)
            column = F.when(column.isNotNull(), text)
        columns[str(part.column)] = column
    return columns


def _kind(plan: CallPlan, name: str, value: Value) -> PartKind:
    """How a member is spelled; the type of a group's object is none of the mapping's."""
    if not isinstance(value, str):
        return PartKind.JSON
    types = plan.checked.types[plan.operations[0], plan.number]
    match types.get(name, T.StringType()):
        case T.StringType() | T.CharType() | T.VarcharType():
            return PartKind.TEXT
        case T.ByteType() | T.ShortType() | T.IntegerType() | T.LongType() | T.BooleanType():
            return PartKind.WHOLE
        case T.FloatType() | T.DoubleType():
            return PartKind.REAL
        case _:
            return PartKind.JSON
