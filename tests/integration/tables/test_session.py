"""What a session keeps from the disk, and when it compiles its queries."""

import tempfile

import pytest
from pyspark.sql import functions as F

from pipeline.tables import session

KEY = "a-key-that-no-file-may-have"


def test_a_large_function_of_a_task_is_written_to_no_file(spark, monkeypatch):
    """A barrier of many people makes a task's function large, and it carries the keys."""
    written = []
    whole = tempfile.NamedTemporaryFile

    def watched(*given, **named):
        written.append(named)
        return whole(*given, **named)

    monkeypatch.setattr("pyspark.core.broadcast.NamedTemporaryFile", watched)
    carried = (KEY, bytes(range(256)) * 16_384)

    def task(batches):
        for batch in batches:
            assert carried[0] == KEY
            yield batch

    rows = spark.range(10).mapInArrow(task, "id bigint").agg(F.sum("id").alias("sum"))
    assert rows.collect()[0]["sum"] == 45
    assert written == []


@pytest.mark.parametrize(("rows", "compiled"), [(0, False), (19_999, False), (20_000, True)])
def test_queries_of_many_rows_alone_are_compiled(spark, rows, compiled):
    """A small micro-batch would take a third longer, or a large one several times as long."""
    own = spark.newSession()
    session.compile_or_interpret(own, rows)
    plan = own.sql("EXPLAIN SELECT id FROM range(10) WHERE id % 2 = 0").collect()[0][0]
    assert ("*(1)" in plan) == compiled  # how Spark marks what it compiles
    assert own.sql("SELECT id FROM range(10) WHERE id % 2 = 0").count() == 5
