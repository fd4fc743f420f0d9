"""What a session keeps from the disk."""

import tempfile

from pyspark.sql import functions as F

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
