"""Count net changes again, straight from the change feed, for reconciliation.

It shares no code with `net` on purpose: what counts the books must not be what made them.
"""

from datetime import UTC

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.core.feed import Feed
from pipeline.source.count import VersionCount
from pipeline.source.locate import SourceTable
from pipeline.source.readable import read_changes


def recount(
    spark: SparkSession, table: SourceTable, feed: Feed, from_version: int, to_version: int
) -> tuple[VersionCount, ...]:
    """The net changes of each version that has any, both ends included.

    By version and row key: as many updates as there are images of both sides, and the rest are
    deletes or inserts. Without a row key the whole row is the key.
    """
    changes = read_changes(spark, table, from_version, to_version)
    metadata = {"_change_type", "_commit_version", "_commit_timestamp"}
    named = feed.row_key or [name for name in changes.columns if name not in metadata]
    key = F.to_json(
        F.struct(*(F.col("`" + name.replace("`", "``") + "`") for name in named)),
        {"ignoreNullFields": "false", "timestampFormat": "yyyy-MM-dd HH:mm:ss.SSSSSS"},
    )
    by_key = changes.groupBy("_commit_version", "_commit_timestamp", key.alias("_c_key")).agg(
        F.expr("count_if(_change_type IN ('insert', 'update_postimage'))").alias("posts"),
        F.expr("count_if(_change_type IN ('delete', 'update_preimage'))").alias("pres"),
    )
    rows = (
        by_key.groupBy("_commit_version", "_commit_timestamp")
        .agg(
            F.expr("sum(greatest(posts - pres, 0))").alias("inserts"),
            F.expr("sum(least(posts, pres))").alias("updates"),
            F.expr("sum(greatest(pres - posts, 0))").alias("deletes"),
        )
        .orderBy("_commit_version")
        .collect()
    )
    return tuple(
        VersionCount(
            version=row["_commit_version"],
            committed_at=row["_commit_timestamp"].astimezone(UTC),
            changes=row["inserts"] + row["updates"] + row["deletes"],
            deletes=row["deletes"],
            messages=row["inserts"] * feed.messages("insert")
            + row["updates"] * feed.messages("update")
            + row["deletes"] * feed.messages("delete"),
        )
        for row in rows
    )
