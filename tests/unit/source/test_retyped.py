"""Which changes of a column's type matter to a feed, without Spark's processes."""

from types import SimpleNamespace

import pytest
from pyspark.sql import types as T

from pipeline.source.retyped import differences

FEED = SimpleNamespace(
    row_key=("order_id",), expressions=lambda: iter([("insert.properties.total", "Total * 2")])
)


def table(**columns):
    return T.StructType([T.StructField(name, kind) for name, kind in columns.items()])


@pytest.mark.parametrize(
    ("was", "is_", "matters"),
    [
        (T.DoubleType(), T.StringType(), True),
        (T.IntegerType(), T.LongType(), False),
        (T.LongType(), T.IntegerType(), True),
        (T.FloatType(), T.DoubleType(), False),
        (T.TimestampType(), T.DateType(), True),
        (T.StringType(), T.StringType(), False),
    ],
)
def test_only_a_type_with_other_values_matters(was, is_, matters):
    """A feed would hold for a wider number, or go on with a text in place of one."""
    assert bool(list(differences(FEED, table(total=was), table(total=is_)))) == matters


def test_only_what_the_feed_uses_matters():
    """A feed would hold for a column that it never reads."""
    before, now = T.StringType(), T.DateType()
    found = differences(FEED, table(note=before, order_id=before), table(note=now, order_id=now))
    assert list(found) == ["column order_id was string and is date"]
    assert not list(differences(FEED, table(total=before), table(order_id=now)))
