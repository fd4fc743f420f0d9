"""What upstream says it wrote is what Spark reads from the change feeds."""

from collections import Counter
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.demo.retail import Retail
from pipeline.demo.shop import FEEDS, HOUSEHOLDS, open_shop
from pipeline.demo.upstream import SCENES, Written, opening, overwrite, while_down
from pipeline.source.feed_files import load_feeds
from pipeline.source.net import net


def test_spark_reads_from_the_change_feeds_what_was_written(
    spark: SparkSession, retail: Retail, tmp_path: Path
) -> None:
    """Every commit of every scene: as many net inserts, updates and deletes as the writer says."""
    here = open_shop(tmp_path, retail)
    written = [one for play in (opening, *(s.play for s in SCENES)) for one in play(here)]
    written += [one for part in range(3) for one in while_down(here, part, 3)]
    feeds = {feed.name: feed for feed in load_feeds(Path("conf/feeds"))}

    for table in FEEDS:
        changes = (
            spark.read.format("delta")
            .option("readChangeFeed", True)
            .option("startingVersion", 0)
            .load(str(here.root / table))
        )
        found = net(changes, feeds[table]).groupBy("operation").count().collect()
        assert {row["operation"]: row["count"] for row in found} == _sums(written, table)


def test_an_overwrite_leaves_one_change_a_household(
    spark: SparkSession, retail: Retail, tmp_path: Path
) -> None:
    """The writer records all rows as removed and added; the net effect is an update each."""
    here = open_shop(tmp_path, retail)
    list(opening(here))
    list(overwrite(here))
    feed = next(feed for feed in load_feeds(Path("conf/feeds")) if feed.name == HOUSEHOLDS)
    changes = (
        spark.read.format("delta")
        .option("readChangeFeed", True)
        .option("startingVersion", 1)
        .load(str(here.root / HOUSEHOLDS))
    )

    netted = net(changes, feed)

    moved = netted.where("row.home_ownership <=> 'Renter (moved)'")
    households = len(retail.households)
    assert netted.where(F.col("operation") == "update").count() == netted.count() == households
    assert moved.count() == -(-households // 1000)


def _sums(written: list[Written], table: str) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for one in written:
        if one.table == table and one.changes:
            sums[one.operation] += one.changes
    return dict(sums)
