"""The JSON of a call, built by Spark: the head, and the traits or properties."""

from collections.abc import Mapping
from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

from pipeline.core.draft import NO_ID, ZEROS
from pipeline.core.feed_calls import Group, Value

OPTIONS: Final = {
    "timeZone": "UTC",
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSS",
    "dateFormat": "yyyy-MM-dd",
}
"""ISO 8601 with a zone, to the millisecond as in the API's own examples."""

WITH_NULLS: Final = {**OPTIONS, "ignoreNullFields": "false"}
WITHOUT_NULLS: Final = {**OPTIONS, "ignoreNullFields": "true"}


def value_column(value: Value) -> Column:
    """One mapped value: an expression, or an object of them."""
    if isinstance(value, str):
        return F.expr(value)
    return F.struct(*(value_column(inner).alias(name) for name, inner in value.items()))


def content_json(content: Mapping[str, Value], *, nulls: bool) -> Column:
    """Traits or properties as a JSON object."""
    fields = [value_column(value).alias(name) for name, value in content.items()]
    return F.to_json(F.struct(*fields), WITH_NULLS if nulls else WITHOUT_NULLS)


def member_json(name: str, value: Value) -> Column:
    """One trait as a JSON object of its own, null or not: what a change is judged by."""
    return F.to_json(F.struct(value_column(value).alias(name)), WITH_NULLS)


def joined_members(members: list[Column]) -> Column:
    """JSON members, where they are not null, without the braces around them."""
    inner = [F.substring(one, F.lit(2), F.length(one) - 2) for one in members]
    return F.concat_ws(",", *inner)


def whole_body(fields: Mapping[str, Column], content: tuple[str, Mapping[str, Value]]) -> Column:
    """A call whose nulls are all left out: one pass of `to_json` gives the whole text."""
    name, mapping = content
    values = F.struct(*(value_column(value).alias(key) for key, value in mapping.items()))
    columns = {"messageId": F.lit(ZEROS), **fields, name: values}
    text = F.to_json(F.struct(*(c.alias(key) for key, c in columns.items())), WITHOUT_NULLS)
    return F.concat(text, F.lit(","))


def body(fields: Mapping[str, Column], content: tuple[str, Column] | None) -> Column:
    """A call: zeros for the id, then the content, then the fields that are not null; a comma.

    The content comes first so that two texts join without counting characters.
    """
    head = F.to_json(
        F.struct(*(column.alias(name) for name, column in fields.items())), WITHOUT_NULLS
    )
    if content is None:
        return F.concat(F.lit(NO_ID), F.substr(head, F.lit(2)), F.lit(","))
    name, text = content
    return F.concat(
        F.lit(f'{NO_ID}"{name}":'), text, F.lit(","), F.substr(head, F.lit(2)), F.lit(",")
    )


def group_traits(call: Group, object_type_id: str | None) -> Mapping[str, Value]:
    """A group's traits with the type of its object, which the API has among the traits."""
    type_ = call.object_type_id or object_type_id
    if type_ is None or "object_type_id" in call.traits:
        return call.traits
    return {
        "object_type_id": "'" + type_.replace("\\", "\\\\").replace("'", "\\'") + "'",
        **call.traits,
    }
