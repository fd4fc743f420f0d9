"""What real rows weigh."""

from datetime import UTC, datetime

import pytest
from pyspark.sql import functions as F

from pipeline.streams.weigh import SAMPLE, of_change, of_message, weigh


@pytest.mark.parametrize("letters", [100, 10_000])
def test_a_change_weighs_what_its_json_does(spark, letters):
    """Columns of types that Arrow does not know, or of odd names, would stop the feed."""
    rows = spark.range(2 * SAMPLE).select(
        F.repeat(F.lit("x"), F.lit(letters)).alias("text of `it`"),
        F.parse_json(F.lit('{"a": 1}')).alias("any"),
        F.create_map(F.lit(datetime(2026, 1, 1, tzinfo=UTC)), F.lit(1)).alias("map"),
        F.lit(None).cast("int").alias("number"),
        F.lit(None).cast("string").alias("nothing"),
        F.expr("INTERVAL 1 DAY").alias("for"),
        F.lit("insert").alias("_change_type"),
        F.lit(1).alias("_commit_version"),
        F.current_timestamp().alias("_commit_timestamp"),
    )
    others = '{"any":{"a":1},"map":{"2026-01-01T00:00:00.000Z":1},"number":null,"for":"1 00:00:00"}'
    expected = letters + len('"text of `it`":"",') + len(others)
    assert weigh(rows, of_change(rows.schema)) == pytest.approx(expected, abs=60)


def test_what_waits_is_weighed_as_it_lies_there(spark):
    """Drain's slices of large messages would be as large as those of small ones."""
    payload = F.when(F.col("id") < 8, F.repeat(F.lit("x"), F.lit(1_000)).cast("binary"))
    rows = spark.range(10).select(payload.alias("payload"))
    assert weigh(rows, of_message()) == 1_000.0


def test_where_no_row_has_a_size_nothing_is_known(spark):
    """Messages without a payload, and an empty table, would end the tick."""
    none = spark.range(3).select(F.lit(None).cast("binary").alias("payload"))
    assert weigh(none, of_message()) == 0.0
    assert weigh(none.limit(0), of_message()) == 0.0
