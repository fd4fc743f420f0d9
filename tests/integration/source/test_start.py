"""Where feeds begin, and what is read from there."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import DataFrame

from pipeline.core.feed import FeedError, parse_feed
from pipeline.source.net import net
from pipeline.source.start import Pinned, read_stream, resolve, snapshot_changes

ROWS = "id string, n int"


def feed(start: str):
    return parse_feed(
        f"source: t\nstart: {start}\nrow_key: [id]\nentity: {{person: id}}\n"
        "insert: {type: identify}",
        file="f.yml",
    )


def test_every_start_is_resolved_once(source) -> None:
    """Snapshot and latest pin the current version; a version or a moment the one before."""
    table = source(ROWS)
    table.append(("a", 1))
    table.append(("b", 1))
    start = lambda text: resolve(table.spark, feed(text), table.table)  # noqa: E731
    assert start("snapshot") == Pinned(version=2, origin="snapshot")
    assert start("latest") == Pinned(version=2, origin="start")
    assert start("{version: 0}") == Pinned(version=-1, origin="start")
    assert start("{version: 2}") == Pinned(version=1, origin="start")
    assert start("{version: 3}") == Pinned(version=2, origin="start")
    with pytest.raises(FeedError, match=r"start.version: 4 is not there yet, the table is at 2"):
        start("{version: 4}")
    past, future = "2000-01-01T00:00:00Z", (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert start(f"{{timestamp: '{past}'}}") == Pinned(version=-1, origin="start")
    assert start(f"{{timestamp: '{future}'}}") == Pinned(version=2, origin="start")


def test_a_snapshot_reads_as_inserts_of_its_version(source) -> None:
    """Its rows come with the snapshot's version and time, not with their own commits'."""
    table = source(ROWS)
    table.append(("a", 1))
    table.append(("b", 1))
    table.append(("c", 1))
    rows = net(snapshot_changes(table.spark, table.table, 2), feed("snapshot")).collect()
    assert sorted((r.operation, r.source_version, r.row.id) for r in rows) == [
        ("insert", 2, "a"),
        ("insert", 2, "b"),
    ]
    times = {r.committed_at for r in rows}
    assert times == {table.changes(2, 2).first()["_commit_timestamp"]}


def test_a_stream_starts_before_the_next_version_is_there(source, tmp_path: Path) -> None:
    """It starts with the pinned version, and goes on with what is committed later."""
    table = source(ROWS)
    table.append(("a", 1))
    seen: list[tuple[int, str]] = []

    def take(frame: DataFrame, _: int) -> None:
        seen.extend((r["_commit_version"], r["id"]) for r in frame.collect())

    def run() -> None:
        query = (
            read_stream(table.spark, table.table, 1)
            .writeStream.foreachBatch(take)
            .option("checkpointLocation", str(tmp_path / "checkpoint"))
            .trigger(availableNow=True)
            .start()
        )
        query.awaitTermination()

    run()
    table.append(("b", 1))
    run()
    assert [one for one in seen if one[0] > 1] == [(2, "b")]


def test_a_stream_steps_over_a_version_that_was_vacuumed(source) -> None:
    """When the pinned version's files are gone the next one is taken, or waited for."""
    table = source(ROWS)
    table.append(("a", 1))
    table.sql("UPDATE {t} SET n = 2")
    for file in Path(table.path).rglob("cdc-*.parquet"):
        file.unlink()
    with pytest.raises(FeedError, match=r"was vacuumed and there is no later one yet"):
        read_stream(table.spark, table.table, 2)
    table.append(("b", 1))
    assert read_stream(table.spark, table.table, 2).isStreaming
