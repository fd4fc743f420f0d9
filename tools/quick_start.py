"""Leave behind what lets Spark start in half the time. Run: tools/setup does.

First a Spark is started that fetches Delta's jars, then one that does what the jobs do; when its
Java ends, it writes the classes that it had loaded into an archive.
"""

import subprocess
import sys
import tempfile

from pyspark.sql import DataFrame, SparkSession

from pipeline.tables.quick_start import HERE, QUIET
from pipeline.tables.session import QUICK, local_session


def main() -> None:
    """Both steps, or the one that is named."""
    match sys.argv[1:]:
        case ["jars"]:
            _fetch()
        case ["classes"]:
            _load()
        case _:
            HERE.jars.unlink(missing_ok=True)
            HERE.classes.unlink(missing_ok=True)
            for step in ("jars", "classes"):
                # Its Java writes to the same pipe, so this ends when Java has ended.
                done = subprocess.run(  # noqa: S603  itself
                    [sys.executable, __file__, step],
                    check=False,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
                sys.stdout.write(done.stdout)
                if done.returncode and step == "classes":
                    HERE.classes.unlink(missing_ok=True)  # a Java that has no archives starts, too
                elif done.returncode:
                    sys.exit(done.returncode)


def _fetch() -> None:
    session = local_session("set-up")
    HERE.keep(str(session.conf.get("spark.jars")))
    session.stop()


def _load() -> None:
    archive = f'"-XX:ArchiveClassesAtExit={HERE.classes}" {QUIET}'
    session = local_session("set-up", java=f"{QUICK} {archive}")
    with tempfile.TemporaryDirectory() as folder:
        _use(session, folder)
    session.stop()


def _use(spark: SparkSession, folder: str) -> None:
    """What each job does with its tables."""
    place = f"delta.`{folder}/table`"
    spark.sql(
        f"CREATE TABLE {place} (kind STRING, id BIGINT) USING DELTA PARTITIONED BY (kind) "
        "TBLPROPERTIES (delta.enableChangeDataFeed = true)"
    )
    rows = spark.range(10).selectExpr("'a' AS kind", "id")
    rows.write.format("delta").mode("append").save(f"{folder}/table")
    spark.sql(
        f"MERGE INTO {place} q USING (SELECT 'a' AS kind, 1L AS id) s ON q.id = s.id "
        "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT *"
    )
    spark.sql(f"DESCRIBE HISTORY {place}").collect()

    def look(changes: DataFrame, _number: int) -> None:
        changes.groupBy("kind").count().toArrow()

    changes = spark.readStream.format("delta").option("readChangeFeed", "true")
    query = (
        changes.option("startingVersion", 0)
        .load(f"{folder}/table")
        .writeStream.option("checkpointLocation", f"{folder}/checkpoint")
        .foreachBatch(look)
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()


if __name__ == "__main__":
    main()
