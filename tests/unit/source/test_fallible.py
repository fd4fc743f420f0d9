"""What is proven not to raise, and what is not."""

import pytest
from pyspark.sql import types as T

from pipeline.core.feed import parse_feed
from pipeline.source.fallible import can_raise

LINE = T.StructType([T.StructField("id", T.StringType()), T.StructField("price", T.DoubleType())])
SCHEMA = T.StructType(
    [
        T.StructField("id", T.StringType()),
        T.StructField("age", T.IntegerType()),
        T.StructField("total", T.DecimalType(12, 2)),
        T.StructField("huge", T.DecimalType(38, 10)),
        T.StructField("vip", T.BooleanType()),
        T.StructField("seen", T.TimestampType()),
        T.StructField("born", T.DateType()),
        T.StructField("line", LINE),
        T.StructField("lines", T.ArrayType(LINE)),
        T.StructField("tags", T.ArrayType(T.StringType())),
    ]
)


def fallible(text: str) -> bool:
    quoted = text.replace('"', '\\"')
    feed = parse_feed(
        "source: t\nstart: latest\nrow_key: [id]\nentity: {person: id}\n"
        f'insert: {{type: identify, traits: {{x: "{quoted}"}}}}',
        file="t.yml",
    )
    return can_raise(feed, SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        "age", "line.price", "before.line.id", "change.operation", "'x'", "null", "lines",
        "upper(trim(id))", "concat('a', id, age, total, vip)", "id || '-' || huge",
        "coalesce(id, 'none')", "coalesce(age, 0)", "nullif(id, '')", "age > 3 and id = 'x'",
        "if(age > 3, 'old', id)", "case when vip then 1 else 0 end",
        "case id when 'a' then 1 when 'b' then 2 end", "cast(age as string)", "age::string",
        "try_cast(id as int)", "try_cast(concat('1', id) as double)", "cast(total as double)",
        "cast(seen as date)", "date_format(seen, 'yyyy-MM-dd')", "id in ('a', 'b')",
        "age between 1 and 3", "not vip", "id is not null", "total > 0",
        "transform(lines, l -> named_struct('id', upper(l.id), 'price', l.price))",
        "filter(lines, l -> l.price > 1.5)", "transform(filter(tags, t -> t <> ''), t -> lower(t))",
        "struct(id, age as years)", "substring(id, 1, 3)", "length(id) > 3", "round(line.price, 2)",
    ],
)  # fmt: skip
def test_what_cannot_raise_is_proven(text: str) -> None:
    """Feeds as people write them need no second pass."""
    assert not fallible(text)


@pytest.mark.parametrize(
    "text",
    [
        "cast(id as int)", "age / 2", "age + 1", "lines[0]", "element_at(tags, 1)", "to_date(id)",
        "age > 'x'", "coalesce(age, 'none')", "if(vip, age, id)", "id = 3", "age in ('a')",
        "case when vip then 1 else 'x' end", "case id when 1 then 2 end", "upper(cast(id as date))",
        "transform(lines, l -> l.price / 0)", "transform(tags, t -> cast(t as int))",
        "transform(lines, l -> l.price > 'x')", "date_format(id, 'yyyy')", "huge > total",
        "date_format(seen, 'QQQQQQQ')", "if(id, 1, 2)", "not id", "id and vip",
        "case when id then 1 end", "filter(tags, t -> t)", "raise_error(id)", "my_function(id)",
        "cast(seen as int)", "try_cast(age / 0 as string)", "-age", "round(total, 1)",
        "substring(id, 'x', 1)", "cast(born as timestamp)",
    ],
)  # fmt: skip
def test_what_may_raise_is_never_taken_for_safe(text: str) -> None:
    """Casts, arithmetic and indexes, and the casts that Spark puts in by itself."""
    assert fallible(text)
