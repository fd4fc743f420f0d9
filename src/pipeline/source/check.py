"""Hold a feed against its table before a stream starts: every refusal names file and field."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pipeline.core.api.limits import DEFAULT_LIMITS, Limits
from pipeline.core.feed import OPERATIONS, Feed, FeedError, Operation
from pipeline.core.feed_calls import content, content_name
from pipeline.core.feed_model import ConsentTable
from pipeline.settings import Settings
from pipeline.source.body import content_json, value_column
from pipeline.source.checked import CheckedFeed
from pipeline.source.consents import consent_place
from pipeline.source.fallible import can_raise
from pipeline.source.limits import over_limits
from pipeline.source.locate import SourceTable, locate, table_detail
from pipeline.source.net import METADATA, quoted
from pipeline.source.probe import probed
from pipeline.source.readable import current_version, first_readable, is_readable
from pipeline.source.start import resolve
from pipeline.source.view import KEY, PREFIX, open_changes

CDF_PROPERTY: Final = "delta.enableChangeDataFeed"
Types = Mapping[tuple[Operation, int], Mapping[str, T.DataType]]


def check_where_it_is(
    spark: SparkSession, settings: Settings, feed: Feed, *, begun: bool = False
) -> CheckedFeed:
    """`check_feed` of the tables that the feed names, where the settings have them.

    Raises:
        FeedError: as `check_feed`; or a table is named by a relative path, and there is no root.
    """
    root = settings.sources.root
    table = locate(feed.source, root=root, file=feed.file)
    consents = consent_place(feed, root)
    return check_feed(spark, feed, table, limits=settings.limits, begun=begun, consents=consents)


def check_feed(
    spark: SparkSession,
    feed: Feed,
    table: SourceTable,
    *,
    limits: Limits = DEFAULT_LIMITS,
    begun: bool = False,
    consents: SourceTable | None = None,
) -> CheckedFeed:
    """Check table, change feed, columns, expressions, types and start.

    A feed that has *begun* goes on from its checkpoint: its start may be gone by now. *consents*
    is where its consent table is, for a feed that has one.

    Raises:
        FeedError: the feed cannot run; one line a problem, with file, field and what to do.
    """
    table_id, schema = _table(spark, feed, table)
    problems = [*_columns(feed, schema), *over_limits(feed, limits)]
    problems += _consents(spark, feed, consents)
    opened = _opened(spark, table, schema)
    found: dict[str, T.DataType] = {}
    for field, text in feed.expressions():
        try:
            found[field] = opened.select(F.expr(text).alias("value"), KEY).schema["value"].dataType
        except AnalysisException as error:
            problems.append(f"{field}: {_unresolved(error, schema)}")
        else:
            if not _deterministic(spark, opened, text):
                problems.append(f"{field}: must give the same each time: {text} does not")
    problems += [f"{field}: {reason}" for field, reason in _misfits(found)]
    _raise(feed, problems)
    types, problems = _content_types(feed, opened)
    _raise(feed, problems)
    _raise(feed, list(_refused(feed, types, limits)))
    if not begun:
        _check_start(spark, feed, table)
    return CheckedFeed(
        feed=feed,
        table=table,
        table_id=table_id,
        schema=schema,
        types=types,
        limits=limits,
        consents=consents,
        fallible=can_raise(feed, schema),
    )


def _raise(feed: Feed, problems: list[str]) -> None:
    if problems:
        raise FeedError("\n".join(f"{feed.file}: {problem}" for problem in problems))


def _table(spark: SparkSession, feed: Feed, table: SourceTable) -> tuple[str, T.StructType]:
    """The table's id and columns, if it is there and has a change feed."""
    try:
        detail = table_detail(spark, table)
        schema = table.read(spark.read).schema
    except AnalysisException as error:
        raise FeedError(
            f"{feed.file}: source: {table.sql} is no Delta table that can be read "
            f"({error.getCondition()}); create it, or correct the source or sources.root"
        ) from error
    if str((detail["properties"] or {}).get(CDF_PROPERTY, "false")).lower() != "true":
        raise FeedError(
            f"{feed.file}: source: {table.sql} has no change data feed; run: "
            f"ALTER TABLE {table.sql} SET TBLPROPERTIES ({CDF_PROPERTY} = true)"
        )
    return str(detail["id"]), schema


def _columns(feed: Feed, schema: T.StructType) -> Iterator[str]:
    """The row key's columns are there, and no column has a name that is ours."""
    names = {name.lower() for name in schema.names}
    for column in feed.row_key:
        if column.lower() not in names:
            yield f"row_key: {_no_column(column, schema)}"
    for name in schema.names:
        if name.startswith(PREFIX) or name in METADATA:
            yield f"source: a column may not be named {name}; rename it"


def _consents(spark: SparkSession, feed: Feed, table: SourceTable | None) -> Iterator[str]:
    """The consent table is there, with a key and a boolean."""
    if not isinstance(by := feed.consent, ConsentTable):
        return
    if table is None:
        raise TypeError(f"feed {feed.name}: nobody told where its consent table is")
    try:
        schema = table.read(spark.read).schema
    except AnalysisException as error:
        yield (
            f"consent.table: {table.sql} is no Delta table that can be read "
            f"({error.getCondition()}); create it, or correct its name"
        )
        return
    types = {field.name.lower(): field.dataType for field in schema.fields}
    for field, name, fits, wanted in (
        ("key", by.key, _textual, "a text, a number, a boolean or a date"),
        ("column", by.column, lambda type_: isinstance(type_, T.BooleanType), "boolean"),
    ):
        if (type_ := types.get(name.lower())) is None:
            yield f"consent.{field}: {_no_column(name, schema)}"
        elif not fits(type_):
            yield f"consent.{field}: {name} is {type_.simpleString()}, must be {wanted}"


def _opened(spark: SparkSession, table: SourceTable, schema: T.StructType) -> DataFrame:
    """No rows, with all that expressions may name."""
    row = F.struct(*(quoted(name).alias(name) for name in schema.names))
    nothing = table.read(spark.read).select(
        F.lit("insert").alias("operation"),
        F.lit(0).cast("long").alias("source_version"),
        F.lit(None).cast("timestamp").alias("committed_at"),
        F.lit("").alias("key"),
        F.lit(0).alias("ordinal"),
        row.alias("row"),
        F.when(F.lit(False), row).alias("before"),
    )
    return open_changes(nothing, schema)


def _unresolved(error: AnalysisException, schema: T.StructType) -> str:
    """What Spark's analysis found, with near names where a column is not there."""
    parameters = error.getMessageParameters() or {}
    condition = error.getCondition() or ""
    if condition.startswith("UNRESOLVED_COLUMN") and "objectName" in parameters:
        return _no_column(parameters["objectName"].replace("`", ""), schema)
    if condition == "FIELD_NOT_FOUND":
        return f"there is no field {parameters.get('fieldName')}; it has {parameters.get('fields')}"
    text = str(error).split(" SQLSTATE")[0].splitlines()[0]
    return text.removeprefix(f"[{condition}] ")


def _no_column(name: str, schema: T.StructType) -> str:
    by_lower = {known.lower(): known for known in schema.names}
    near = [by_lower[one] for one in get_close_matches(name.lower(), by_lower, n=3, cutoff=0.5)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(schema.names)}"
    return f"the table has no column {name}; {hint}"


def _deterministic(spark: SparkSession, opened: DataFrame, text: str) -> bool:
    """Whether Spark takes the expression for deterministic: it joins by no other."""
    one = spark.range(1).select(F.lit(1).alias(f"{PREFIX}one"))
    try:
        _ = opened.join(one, F.expr(text).isNotNull()).schema
    except AnalysisException as error:
        return error.getCondition() != "INVALID_NON_DETERMINISTIC_EXPRESSIONS"
    return True


def _misfits(types: Mapping[str, T.DataType]) -> Iterator[tuple[str, str]]:
    """Expressions whose type does not fit where they stand."""
    for field, type_ in types.items():
        name = type_.simpleString()
        last = field.split(".")[-1]
        in_content = ".traits." in field or ".properties." in field
        if in_content:
            continue
        if last in {"filter", "when", "consent"} and not isinstance(
            type_, T.BooleanType | T.NullType
        ):
            yield field, f"is {name}, must be boolean"
        elif last == "event_time" and not isinstance(type_, T.TimestampType):
            yield (
                field,
                f"is {name}, must be timestamp: cast it, as in try_cast(... as timestamp)",
            )
        elif field.startswith("order_by") and not _orderable(type_):
            yield field, f"is {name}, which has no order"
        elif (last in _TEXTS or ".context.device." in field) and not _textual(type_):
            yield field, f"is {name}, must be a text, a number, a boolean or a date"


_TEXTS: Final = frozenset(
    {
        "person",
        "id",
        "user_id",
        "anonymous_id",
        "group_id",
        "previous_id",
        "event_expression",
        "name",
        "call",
    }
)


def _textual(type_: T.DataType) -> bool:
    return not isinstance(
        type_, T.StructType | T.ArrayType | T.MapType | T.BinaryType | T.VariantType | T.NullType
    )


def _orderable(type_: T.DataType) -> bool:
    match type_:
        case T.MapType() | T.VariantType():
            return False
        case T.StructType(fields=fields):
            return all(_orderable(field.dataType) for field in fields)
        case T.ArrayType(elementType=element):
            return _orderable(element)
        case _:
            return True


def _content_types(feed: Feed, opened: DataFrame) -> tuple[Types, list[str]]:
    """The types of each call's traits or properties, which must have a form in JSON."""
    types: dict[tuple[Operation, int], Mapping[str, T.DataType]] = {}
    problems: list[str] = []
    for operation in OPERATIONS:
        for number, call in enumerate(feed.calls(operation)):
            mapping = content(call)
            columns = [value_column(value) for value in mapping.values()]
            schema = opened.select(*(c.alias(f"c{i}") for i, c in enumerate(columns))).schema
            found = [field.dataType for field in schema.fields]
            types[operation, number] = dict(zip(mapping, found, strict=True))
            try:
                _ = opened.select(content_json(mapping, nulls=True)).schema if mapping else None
            except AnalysisException as error:
                place = f"{operation}.{content_name(call)}"
                problems.append(f"{place}: has no form in JSON: {str(error).splitlines()[0]}")
    return types, problems


def _refused(feed: Feed, types: Types, limits: Limits) -> Iterator[str]:
    """What the API's models would refuse of each call, whatever the rows hold."""
    for (operation, number), found in types.items():
        call = feed.calls(operation)[number]
        if operation == "update" and feed.update == feed.insert:
            continue
        for problem in probed(feed, call, found, nulls=feed.nulls(call), limits=limits):
            place = operation if len(feed.calls(operation)) == 1 else f"{operation}[{number}]"
            yield f"{place}.{problem.field}: {problem.reason}"


def _check_start(spark: SparkSession, feed: Feed, table: SourceTable) -> None:
    """The versions from the start on can be read, their files and not only the log."""
    if isinstance(feed.start, str):
        return
    first = max(resolve(spark, feed, table).version + 1, 0)
    current = current_version(spark, table)
    if first > current:
        return
    if is_readable(spark, table, first, current):
        return
    earliest = first_readable(spark, table)
    known = (
        f"versions {earliest} to {current} can be read"
        if earliest is not None
        else "no version can be read"
    )
    raise FeedError(
        f"{feed.file}: start: version {first} of the change feed is gone (vacuumed, or from "
        f"before the change feed was on); {known}; to start over, use start: snapshot, which "
        "sends the table as it is"
    )
