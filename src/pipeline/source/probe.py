"""Ask the API's models what they would refuse of a feed's calls, by samples of each type.

What is refused whatever the rows hold is refused before the stream starts. What is refused for
some values (a null where a value is required, a blank id) becomes a rule on columns: so what the
fast path refuses is what the models refuse.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from json import dumps
from typing import Any, Final

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T
from sqlglot import exp

from pipeline.core.api.check import check_line
from pipeline.core.api.limits import Limits
from pipeline.core.api.problem import Problem
from pipeline.core.api.vocabularies import EVENTS
from pipeline.core.feed import Feed
from pipeline.core.feed_calls import (
    AnyCall,
    Group,
    Identify,
    Track,
    Value,
    Whole,
    content_name,
    device_parts,
)
from pipeline.core.feed_model import PersonEntity
from pipeline.core.feed_sql import parse_expression
from pipeline.source.rules import Rule, blank, in_time

Sample = Any
Condition = Callable[[Column], Column]
_TIME: Final = "2026-01-31T08:30:00.000Z"
_LATE: Final = "+10000-01-31T08:30:00.000Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variant:
    """A value that the models may refuse, and what tells it in a column."""

    sample: Sample
    holds: Condition
    detail: str


def probed(
    feed: Feed, call: AnyCall, types: Mapping[str, T.DataType], *, nulls: bool, limits: Limits
) -> Iterator[Problem]:
    """What the models refuse of *call* whatever the rows hold."""
    if _is_free(call) and not (feed.context or feed.integrations):
        return
    yield from _refused(_call(feed, call, _base(call, types), nulls=nulls), limits)


def probe_rules(
    feed: Feed,
    call: AnyCall,
    columns: Mapping[str, Column],
    types: Mapping[str, T.DataType],
    *,
    nulls: bool,
    limits: Limits,
) -> Iterator[Rule]:
    """What the models refuse of *call* for some values; *columns* are its mapped values."""
    if _is_free(call):
        return
    base, path = _base(call, types), content_name(call)
    for name, type_ in types.items():
        for variant in _variants(type_, base[name], f"{path}.{name}"):
            sample = _call(feed, call, {**base, name: variant.sample}, nulls=nulls)
            if any(_refused(sample, limits)):
                yield Rule(
                    broken=F.coalesce(variant.holds(columns[name]), F.lit(False)),
                    reason="refused_value",
                    detail=variant.detail,
                    member=name,
                )


def untold_events(
    feed: Feed, call: Track, types: Mapping[str, T.DataType], *, limits: Limits
) -> tuple[str, ...]:
    """Documented events that this call, which names its event by SQL, may not be."""
    base = _base(call, types)
    found = []
    for name in sorted(EVENTS):
        samples = [base] + [
            {**base, key: variant.sample}
            for key, type_ in types.items()
            for variant in _variants(type_, base[key], key)
        ]
        calls = (_call(feed, call, one, nulls=False) | {"event": name} for one in samples)
        if any(any(_refused(one, limits)) for one in calls):
            found.append(name)
    return tuple(found)


def _is_free(call: AnyCall) -> bool:
    """An event of one's own has no names that the API knows; a whole call is judged by its row."""
    return isinstance(call, Whole) or (isinstance(call, Track) and call.event not in EVENTS)


def _refused(call: Mapping[str, Any], limits: Limits) -> Iterator[Problem]:
    text = dumps(call, separators=(",", ":"), allow_nan=False)
    return (one for one in check_line(text.encode(), limits) if one.stage == "validate")


def _call(  # noqa: C901  one closed list
    feed: Feed, call: AnyCall, values: Mapping[str, Sample], *, nulls: bool
) -> dict[str, Any]:
    """A whole call with these values."""
    whole: dict[str, Any] = {"type": call.type, "timestamp": _TIME}
    if call.user_id is not None or isinstance(feed.entity, PersonEntity):
        whole["userId"] = "x"
    if call.anonymous_id is not None:
        whole["anonymousId"] = "x"
    match call:
        case Track():
            whole["event"] = call.event or "x"
            if parts := device_parts(call):
                whole["context"] = {"device": dict.fromkeys(parts, "x") | {"type": "ios"}}
        case Group():
            whole["groupId"] = "x"
        case Whole():  # the rows have the calls; what is constant can be tried
            whole |= {"type": "track", "event": "x", "userId": "x"}
        case _ if call.type == "alias":
            whole["previousId"] = "x"
        case _:
            pass
    if (name := content_name(call)) is not None:
        whole[name] = dict(values) if nulls else _without_nulls(dict(values))
    for part in ("context", "integrations"):
        if constant := getattr(feed, part):
            whole[part] = constant
    return whole


def _without_nulls(value: Sample) -> Sample:
    """As `to_json` leaves nulls out: of objects, not of lists."""
    match value:
        case dict():
            return {k: _without_nulls(v) for k, v in value.items() if v is not None}
        case list():
            return [_without_nulls(one) for one in value]
        case _:
            return value


def _base(call: AnyCall, types: Mapping[str, T.DataType]) -> dict[str, Sample]:
    """A value of each type; a literal is itself."""
    mapping = call.traits if isinstance(call, Identify | Group) else getattr(call, "properties", {})
    return {name: _sample(types[name], value) for name, value in mapping.items()}


def _sample(type_: T.DataType, value: Value | None = None) -> Sample:  # noqa: C901, PLR0912
    if isinstance(value, Mapping) and isinstance(type_, T.StructType):
        return {f.name: _sample(f.dataType, value[f.name]) for f in type_.fields}
    if isinstance(value, str):
        tree = parse_expression(value)
        if isinstance(tree, exp.Literal) and tree.is_string:
            return tree.name
    match type_:
        case T.StructType(fields=fields):
            return {field.name: _sample(field.dataType) for field in fields}
        case T.ArrayType(elementType=inner):
            return [_sample(inner)]
        case T.MapType(valueType=inner):
            return {"x": _sample(inner)}
        case T.BooleanType():
            return True
        case T.IntegralType():
            return 1
        case T.DecimalType(scale=0):
            return 1
        case T.NumericType():
            return 1.5
        case T.TimestampType():
            return _TIME
        case T.TimestampNTZType():
            return _TIME.removesuffix("Z")
        case T.DateType():
            return "2026-01-31"
        case T.NullType():
            return None
        case _:
            return "x"


def _variants(type_: T.DataType, base: Sample, detail: str) -> Iterator[_Variant]:
    """Values that models tell apart from the base, at every depth."""
    yield _Variant(sample=None, holds=lambda c: c.isNull(), detail=detail)
    match type_:
        case T.StringType():
            yield _Variant(sample="", holds=blank, detail=detail)
        case T.TimestampType():
            yield _Variant(sample=_LATE, holds=lambda c: ~in_time(c), detail=detail)
        case T.StructType(fields=fields):
            for field in fields:
                inner = base[field.name] if isinstance(base, dict) else _sample(field.dataType)
                for one in _variants(field.dataType, inner, f"{detail}.{field.name}"):
                    yield _Variant(
                        sample={**base, field.name: one.sample},
                        holds=_of_field(field.name, one.holds),
                        detail=one.detail,
                    )
        case T.ArrayType(elementType=element):
            yield _Variant(sample=[], holds=lambda c: F.size(c) == 0, detail=detail)
            for one in _variants(element, _sample(element), f"{detail}[]"):
                yield _Variant(sample=[one.sample], holds=_of_item(one.holds), detail=one.detail)
        case T.MapType(valueType=value):
            for one in _variants(value, _sample(value), f"{detail}[]"):
                yield _Variant(
                    sample={"x": one.sample}, holds=_of_value(one.holds), detail=one.detail
                )
        case _:
            pass


def _of_field(name: str, holds: Condition) -> Condition:
    return lambda column: column.isNotNull() & holds(column.getField(name))


def _of_item(holds: Condition) -> Condition:
    return lambda column: F.exists(column, lambda item: F.coalesce(holds(item), F.lit(False)))


def _of_value(holds: Condition) -> Condition:
    return lambda column: _of_item(holds)(F.map_values(column))
