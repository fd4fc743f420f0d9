"""Whether a feed's expressions may raise for some rows: proven from their trees and types.

Under ANSI a cast, a division or an index may raise. An expression is safe when each of its nodes
is on a list of those that never raise, given the types of what is in it; Spark's implicit casts
count: `age = 'x'` casts 'x' to a number. Where there is no proof, the rows that raise are looked
for before the feed is mapped (`isolate`), which costs one more pass.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from pyspark.sql import types as T
from sqlglot import exp

from pipeline.core.feed import Feed
from pipeline.core.feed_sql import parse_expression

_CHANGE: Final = T.StructType(
    [
        T.StructField("operation", T.StringType()),
        T.StructField("version", T.LongType()),
        T.StructField("committed_at", T.TimestampType()),
    ]
)

_TEXT_FUNCTIONS: Final = (
    exp.Upper, exp.Lower, exp.Trim, exp.Initcap, exp.Length, exp.Concat, exp.DPipe,
    exp.StartsWith, exp.EndsWith, exp.Contains, exp.Reverse, exp.Replace, exp.MD5,
)  # fmt: skip
"""Take texts, into which any plain value is cast without raising."""
_SAME_KIND: Final = (
    exp.Coalesce, exp.Case, exp.If, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE,
    exp.NullSafeEQ, exp.In, exp.Between, exp.Nullif, exp.Greatest, exp.Least, exp.Array,
)  # fmt: skip
"""Bring values to one type: safe where they have one kind already."""
_PLAIN: Final = frozenset({"text", "number", "decimal", "boolean", "time", "date", "null"})
"""Kinds of values that become a text without raising."""
_CONDITION: Final = frozenset({"boolean", "null"})
_DECIMAL_DIGITS: Final = 18
"""Decimals of more digits may not fit into the type that a comparison brings both sides to."""
_SAFE_FORMAT: Final = re.compile(r"^(?:%[YmdHMSf](?:strict)?|[-/:. T])*$")

Types = Mapping[str, T.DataType | None]


def can_raise(feed: Feed, schema: T.StructType) -> bool:
    """Whether an expression of *feed* may raise over rows of *schema*, as far as can be told."""
    names: dict[str, T.DataType | None] = {"before": schema, "change": _CHANGE}
    names |= {field.name.lower(): field.dataType for field in schema.fields}
    return not all(_safe(parse_expression(text), names) for _, text in feed.expressions())


def _safe(node: exp.Expr, names: Types) -> bool:  # noqa: C901, PLR0912  one closed list
    """Whether evaluating *node* never raises."""
    match node:
        case exp.Literal() | exp.Null() | exp.Boolean() | exp.Identifier():
            return True
        case exp.Column() | exp.Dot():
            return _type(node, names) is not None
        case exp.TryCast():
            return _safe(node.this, names)
        case exp.Cast():
            return _safe(node.this, names) and _safe_cast(node, names)
        case exp.And() | exp.Or() | exp.Not():
            return _are(_operands(node), _CONDITION, names) and _children_safe(node, names)
        case exp.Is() | exp.Paren() | exp.PropertyEQ() | exp.Struct():
            return _children_safe(node, names)
        case exp.Case():
            return _safe_case(node, names)
        case exp.If():
            return _are([node.this], _CONDITION, names) and _same_kind(node, names)
        case exp.Transform() | exp.ArrayFilter():
            return _safe_lambda(node, names)
        case exp.TimeToStr(this=exp.TimeStrToTime(this=moment)):
            form = node.args["format"]
            known = form.is_string and _SAFE_FORMAT.match(form.name) is not None
            return known and _are([moment], {"time"}, names) and _safe(moment, names)
        case exp.Round() if isinstance(_type(node.this, names), T.FloatType | T.DoubleType):
            return all(isinstance(one, exp.Literal) for one in _operands(node)[1:])
        case exp.Substring():
            first, *places = _operands(node)
            plain = _are([first], _PLAIN, names) and _are(places, {"number"}, names)
            return plain and _children_safe(node, names)
        case _ if isinstance(node, _TEXT_FUNCTIONS):
            return _are(_operands(node), _PLAIN, names) and _children_safe(node, names)
        case _ if isinstance(node, _SAME_KIND):
            return _same_kind(node, names)
        case _:
            return False


def _are(nodes: list[exp.Expr], kinds: AbstractSet[str], names: Types) -> bool:
    return _kinds(nodes, names) <= kinds


def _same_kind(node: exp.Expr, names: Types) -> bool:
    return _is_one_kind(_compared(node), names) and _children_safe(node, names)


def _safe_case(node: exp.Case, names: Types) -> bool:
    """Results of one kind; conditions, or values of one kind that are compared."""
    ifs: list[exp.If] = node.args["ifs"]
    tests = [one.this for one in ifs]
    given = node.args.get("this")
    tested = (
        _are(tests, _CONDITION, names) if given is None else _is_one_kind([given, *tests], names)
    )
    parts = [*tests, *_compared(node), *([given] if given else [])]
    results = _is_one_kind(_compared(node), names)
    return tested and results and all(_safe(part, names) for part in parts)


def _is_one_kind(nodes: list[exp.Expr], names: Types) -> bool:
    """Whether what is brought to one type is of one known kind."""
    kinds = _kinds(nodes, names) - {"null"}
    return len(kinds) <= 1 and not kinds & {"?", "decimal"}


def _compared(node: exp.Expr) -> list[exp.Expr]:
    """What a node brings to one type."""
    match node:
        case exp.If():
            found = [node.args.get("true"), node.args.get("false")]
        case exp.Case():
            found = [*(one.args["true"] for one in node.args["ifs"]), node.args.get("default")]
        case _:
            found = list(_operands(node))
    return [one for one in found if one is not None]


def _operands(node: exp.Expr) -> list[exp.Expr]:
    return [child for child in node.iter_expressions() if not isinstance(child, exp.Identifier)]


def _children_safe(node: exp.Expr, names: Types) -> bool:
    return all(_safe(child, names) for child in node.iter_expressions())


def _kinds(nodes: list[exp.Expr], names: Types) -> set[str]:
    return {_kind(node, names) or "?" for node in nodes}


def _safe_cast(node: exp.Cast, names: Types) -> bool:
    """To a text from any plain value; to a wider type of the same kind."""
    source = _kind(node.this, names) or "?"
    target = node.to.this
    if target in exp.DataType.TEXT_TYPES:
        return source in _PLAIN
    if target == exp.DType.DOUBLE:
        return source in {"number", "decimal", "boolean", "null"}
    if target == exp.DType.DATE:
        return source in {"time", "date", "null"}
    return target == exp.DType.TIMESTAMPTZ and source in {"time", "null"}


def _safe_lambda(node: exp.Expr, names: Types) -> bool:
    """`transform` and `filter` over an array, where the body is safe for each element."""
    array, body = node.this, node.args["expression"]
    type_ = _type(array, names)
    if not isinstance(type_, T.ArrayType) or not isinstance(body, exp.Lambda):
        return False
    parameters = [one.name.lower() for one in body.expressions]
    types = (type_.elementType, T.IntegerType())
    inner = {**names, **dict(zip(parameters, types, strict=False))}
    each = _as_columns(body.this, set(parameters))
    if isinstance(node, exp.ArrayFilter) and not _are([each], _CONDITION, inner):
        return False
    return _safe(array, names) and _safe(each, inner)


def _as_columns(body: exp.Expr, parameters: set[str]) -> exp.Expr:
    """A lambda's body with its parameters as columns: sqlglot leaves them bare identifiers."""

    def column(node: exp.Expr) -> exp.Expr:
        bare = isinstance(node, exp.Identifier) and not isinstance(node.parent, exp.Column)
        inside = isinstance(node.parent, exp.Dot) and node.arg_key == "expression"
        named = isinstance(node.parent, exp.PropertyEQ) and node.arg_key == "this"
        if bare and not inside and not named and node.name.lower() in parameters:
            return exp.Column(this=node.copy())
        return node

    return body.copy().transform(column)


def _type(node: exp.Expr, names: Types) -> T.DataType | None:
    """Spark's type of a column, a field of one, or an array made from one."""
    match node:
        case exp.Paren():
            return _type(node.this, names)
        case exp.Column():
            path = [part.name.lower() for part in node.parts]
            return _field(names.get(path[0]), path[1:])
        case exp.Dot():
            return _field(_type(node.this, names), [node.expression.name.lower()])
        case exp.ArrayFilter():
            return _type(node.this, names)
        case _:
            return None


def _field(type_: T.DataType | None, path: list[str]) -> T.DataType | None:
    for name in path:
        if not isinstance(type_, T.StructType):
            return None
        type_ = next((f.dataType for f in type_.fields if f.name.lower() == name), None)
    return type_


def _kind(node: exp.Expr, names: Types) -> str | None:  # noqa: C901, PLR0912  one closed list
    """text, number, boolean, time, date or null; None where it can't be told."""
    match node:
        case exp.Literal():
            return "text" if node.is_string else "number"
        case exp.Null():
            return "null"
        case exp.Paren():
            return _kind(node.this, names)
        case exp.Cast():
            return _CAST_KINDS.get(node.to.this)
        case exp.Length():
            return "number"
        case exp.StartsWith() | exp.EndsWith() | exp.Contains() | exp.Boolean():
            return "boolean"
        case exp.Predicate() | exp.And() | exp.Or() | exp.Not():
            return "boolean"
        case exp.Coalesce() | exp.Nullif() | exp.Greatest() | exp.Least():
            return _common(_operands(node), names)
        case exp.If() | exp.Case():
            return _common(_compared(node), names)
        case exp.TimeToStr() | exp.MD5():
            return "text"
        case exp.Round():
            return _kind(node.this, names)
        case _ if isinstance(node, _TEXT_FUNCTIONS):
            return "text"
        case _:
            return _kind_of_type(_type(node, names))


def _common(nodes: list[exp.Expr], names: Types) -> str | None:
    kinds = _kinds(nodes, names) - {"null"}
    return next(iter(kinds)) if len(kinds) == 1 and "?" not in kinds else None


_CAST_KINDS: Final = {
    **dict.fromkeys(exp.DataType.TEXT_TYPES, "text"),
    **dict.fromkeys(exp.DataType.NUMERIC_TYPES, "number"),
    **dict.fromkeys((exp.DType.DECIMAL, exp.DType.BIGDECIMAL), "decimal"),
    exp.DType.BOOLEAN: "boolean",
    exp.DType.TIMESTAMPTZ: "time",
    exp.DType.DATE: "date",
}


def _kind_of_type(type_: T.DataType | None) -> str | None:
    match type_:
        case T.StringType():
            return "text"
        case T.DecimalType(precision=digits) if digits > _DECIMAL_DIGITS:
            return "decimal"
        case T.NumericType():
            return "number"
        case T.BooleanType():
            return "boolean"
        case T.TimestampType():
            return "time"
        case T.DateType():
            return "date"
        case _:
            return None
