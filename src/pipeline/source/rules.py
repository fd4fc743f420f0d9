"""What the API's models would refuse, as conditions on columns, made from the columns' types."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pipeline.core.api.limits import Limits
from pipeline.core.feed_calls import Value
from pipeline.source.body import WITH_NULLS, WITHOUT_NULLS, value_column

_FIRST_INK, _AFTER_INK = "!", "\x7f"
"""ASCII characters that are not blank lie between: most ids start with one."""

DEVICE_TYPES: Final = ("android", "ios")

MIN_TIME: Final = "TIMESTAMP '0001-01-01 00:00:00Z'"
END_OF_TIME: Final = "TIMESTAMP '10000-01-01 00:00:00Z'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A condition that makes a call a dead letter of stage `validate`."""

    broken: Column
    """Never null."""
    reason: str
    detail: str
    """The field of the call."""
    member: str | None = None
    """The trait that it is about: where that one is not sent, the rule is not asked."""


def problem(rules: list[Rule], sent: Mapping[str, Column] | None = None) -> Column:
    """The first broken rule as `<reason> <detail>`, or null.

    *sent* tells of each trait whether it is sent, where that differs from call to call.
    """
    if not rules:
        return F.lit(None).cast("string")
    found: Column | None = None
    for rule in rules:
        broken = rule.broken
        if sent is not None and rule.member is not None and rule.member in sent:
            broken = sent[rule.member] & broken
        words = F.lit(f"{rule.reason} {rule.detail}")
        found = F.when(broken, words) if found is None else found.when(broken, words)
    assert found is not None  # noqa: S101  rules is not empty
    return found


def blank(text: Column) -> Column:
    """Whether a text that is not null has nothing but white space.

    Texts compare by their bytes, so the first one decides, and no character is taken out of them.
    """
    starts_with_ink = (text >= _FIRST_INK) & (text < _AFTER_INK)
    return ~(starts_with_ink | text.rlike(r"(?U)\S"))


def id_rules(field: str, id_: Column, limits: Limits, *, required: bool) -> Iterator[Rule]:
    """An id is there where it must be, says something, and is not too long."""
    missing = F.coalesce(blank(id_), F.lit(required))
    yield Rule(broken=missing, reason="id_missing", detail=field)
    yield Rule(broken=_longer(id_, limits.id_bytes), reason="id_too_long", detail=field)


def either_rule(first: Column, second: Column) -> Rule:
    """A call is about somebody."""
    return Rule(broken=first.isNull() & second.isNull(), reason="id_missing", detail="userId")


def device_rules(token: Column, type_: Column | None) -> Iterator[Rule]:
    """A device has a token, and is of a type that the API knows."""
    missing = F.coalesce(blank(token), F.lit(True))
    yield Rule(broken=missing, reason="id_missing", detail="context.device.token")
    if type_ is not None:
        unknown = ~F.coalesce(type_.isin(*DEVICE_TYPES), F.lit(True))
        yield Rule(broken=unknown, reason="device_type", detail="context.device.type")


def event_rules(event: Column, limits: Limits) -> Iterator[Rule]:
    """An event has a name, and not too long a one."""
    yield Rule(broken=F.coalesce(blank(event), F.lit(True)), reason="event_missing", detail="event")
    yield Rule(
        broken=_longer(event, limits.event_name_bytes), reason="event_too_long", detail="event"
    )


def in_time(moment: Column) -> Column:
    """Whether a timestamp's year has four digits."""
    return (moment >= F.expr(MIN_TIME)) & (moment < F.expr(END_OF_TIME))


def time_rule(moment: Column) -> Rule:
    """A timestamp has a year of four digits."""
    return Rule(
        broken=~F.coalesce(in_time(moment), F.lit(False)),
        reason="timestamp_out_of_range",
        detail="timestamp",
    )


def value_rules(
    content: Mapping[str, Value],
    types: Mapping[str, T.DataType],
    path: str,
    limits: Limits,
    *,
    attributes: bool,
    nulls: bool,
) -> Iterator[Rule]:
    """Each value is JSON; as an attribute of a person or an object it is not too long."""
    for name, value in content.items():
        type_, column, detail = types[name], value_column(value), f"{path}.{name}"
        if (bad := _not_finite(column, type_)) is not None:
            yield Rule(
                broken=F.coalesce(bad, F.lit(False)),
                reason="not_finite",
                detail=detail,
                member=name,
            )
        if attributes and (size := value_bytes(column, type_, nulls=nulls)) is not None:
            yield Rule(
                broken=F.coalesce(size > limits.attribute_value_bytes, F.lit(False)),
                reason="value_too_long",
                detail=detail,
                member=name,
            )


def _longer(text: Column, limit: int) -> Column:
    return F.coalesce(F.octet_length(text) > limit, F.lit(False))


def value_bytes(column: Column, type_: T.DataType, *, nulls: bool) -> Column | None:
    """Bytes of a value as JSON has it, for the types that can have many."""
    match type_:
        case T.StringType() | T.CharType() | T.VarcharType():
            return F.octet_length(column)
        case T.BinaryType():
            return F.octet_length(F.base64(column))
        case T.StructType() | T.ArrayType() | T.MapType() | T.VariantType():
            return F.octet_length(F.to_json(column, WITH_NULLS if nulls else WITHOUT_NULLS))
        case _:
            return None


def _has_float(type_: T.DataType) -> bool:
    match type_:
        case T.FloatType() | T.DoubleType():
            return True
        case T.StructType(fields=fields):
            return any(_has_float(field.dataType) for field in fields)
        case T.ArrayType(elementType=inner) | T.MapType(valueType=inner):
            return _has_float(inner)
        case _:
            return False


def _not_finite(column: Column, type_: T.DataType) -> Column | None:
    """Whether a number in a value is NaN or infinite, at any depth; None where there is none."""
    if not _has_float(type_):
        return None
    match type_:
        case T.StructType(fields=fields):
            found = (_not_finite(column.getField(f.name), f.dataType) for f in fields)
            return reduce(or_, (_certain(one) for one in found if one is not None))
        case T.ArrayType(elementType=element):
            return F.exists(column, lambda item: _certain(_not_finite(item, element)))
        case T.MapType(valueType=inner):
            return F.exists(F.map_values(column), lambda item: _certain(_not_finite(item, inner)))
        case _:
            infinity = F.lit(float("inf"))
            return F.isnan(column) | (column == infinity) | (column == -infinity)


def _certain(condition: Column | None) -> Column:
    return F.lit(False) if condition is None else F.coalesce(condition, F.lit(False))
