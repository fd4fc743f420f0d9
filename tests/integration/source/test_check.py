"""What a feed is refused for before its stream starts, and what each refusal says."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pipeline.core.feed import FeedError, parse_feed
from pipeline.source.check import check_feed
from pipeline.source.locate import SourceTable, locate, table_id

ROWS = "id string, n int, seen timestamp, tags array<string>, m map<string, int>"
FEED = "row_key: [id]\nentity: {person: id}\n"


def test_problems_are_told_all_at_once_with_file_and_field(source) -> None:
    """Columns, types and limits, a line each, with near names."""
    table = source(ROWS)
    feed = table.feed_of(
        "row_key: [idd]\nentity: {person: tags}\nfilter: n\nevent_time: id\norder_by: [m]\n"
        "insert: {type: identify, when: n, traits: {a: nn, b: my_function(n), "
        f"{'x' * 151}: n, c: before.nope, d: 'n + tags'}}}}\n"
    )
    with pytest.raises(FeedError) as caught:
        table.check(feed)
    lines = str(caught.value).splitlines()
    assert all(line.startswith("conf/feeds/test.yml: ") for line in lines)
    text = str(caught.value)
    for words in (
        "row_key: the table has no column idd; did you mean id?",
        "entity.person: is array<string>, must be a text",
        "filter: is int, must be boolean",
        "event_time: is string, must be timestamp",
        "order_by[0]: is map<string,int>, which has no order",
        "insert.when: is int, must be boolean",
        "insert.traits.a: the table has no column nn; did you mean n",
        "insert.traits.b: Cannot resolve routine",
        "insert.traits.c: there is no field",
        "insert.traits.d: ",
        "a name of 151 bytes, at most 150",
    ):
        assert words in text


def test_spark_is_asked_whether_an_expression_is_deterministic(source) -> None:
    """A function that the list of names does not have is still refused."""
    table = source(ROWS)
    table.spark.udf.register(
        "odd", table.spark.udf.register("odd_", lambda n: n).asNondeterministic()
    )
    feed = table.feed_of(FEED + "insert: {type: identify, traits: {a: odd(n)}}")
    with pytest.raises(FeedError, match=r"insert.traits.a: must give the same each time"):
        table.check(feed)


def test_a_table_without_a_change_feed_is_told_what_to_run(
    spark: SparkSession, tmp_path: Path
) -> None:
    """The refusal holds the ALTER TABLE, and with it the check passes."""
    path = str(tmp_path / "plain")
    spark.range(3).selectExpr("cast(id as string) id").write.format("delta").save(path)
    feed = parse_feed(f"source: t\nstart: latest\n{FEED}insert: {{type: identify}}", file="f.yml")
    table = SourceTable(path=path)
    with pytest.raises(FeedError, match=r"f.yml: source: .* run: ALTER TABLE") as caught:
        check_feed(spark, feed, table)
    spark.sql(str(caught.value).split("run: ")[1])
    checked = check_feed(spark, feed, table)
    assert checked.table_id == table_id(spark, table)
    assert not checked.fallible


def test_a_missing_table_is_told(spark: SparkSession, tmp_path: Path) -> None:
    """A source that is no Delta table is refused with what to correct."""
    feed = parse_feed(f"source: t\nstart: latest\n{FEED}insert: {{type: identify}}", file="f.yml")
    with pytest.raises(FeedError, match=r"f.yml: source: .* is no Delta table"):
        check_feed(spark, feed, SourceTable(path=str(tmp_path / "none")))


def test_a_consent_table_has_a_key_and_a_boolean(spark, source, tmp_path) -> None:
    """A stream would start, and skip everybody, or send to those who said no."""
    table = source(ROWS)
    consents = SourceTable(path=str(tmp_path / "consents"))
    text = f"source: t\nstart: latest\n{FEED}insert: {{type: identify}}\nconsent: "

    def check(key: str, column: str):
        by = f"{{table: c, key: {key}, column: {column}}}"
        feed = parse_feed(f"{text}{by}", file="f.yml")
        return check_feed(spark, feed, table.table, consents=consents)

    with pytest.raises(FeedError, match=r"f.yml: consent.table: .* is no Delta table"):
        check("id", "given")
    spark.sql(f"CREATE TABLE {consents.sql} (id INT, given BOOLEAN, word STRING) USING delta")
    with pytest.raises(FeedError, match=r"consent.column: word is string, must be boolean"):
        check("id", "word")
    with pytest.raises(FeedError, match=r"consent.key: the table has no column idd"):
        check("idd", "given")
    assert check("id", "given").consents == consents


def test_a_start_whose_files_are_gone_says_what_can_be_read(source) -> None:
    """The log still has the version, but its files were vacuumed."""
    table = source(ROWS)
    table.append(("a", 1, None, None, None))
    table.sql("UPDATE {t} SET n = 2")
    table.sql("UPDATE {t} SET n = 3")
    feed = parse_feed(
        f"source: t\nstart: {{version: 1}}\n{FEED}insert: {{type: identify}}", file="f.yml"
    )
    assert table.check(feed).feed == feed
    written = sorted(Path(table.path).rglob("cdc-*.parquet"), key=lambda f: f.stat().st_mtime_ns)
    written[0].unlink()
    with pytest.raises(
        FeedError, match=r"version 1 .* is gone .*versions 3 to 3 can be read.*snapshot"
    ):
        table.check(feed)


@pytest.mark.parametrize(
    ("source_text", "expected"),
    [
        ("people", SourceTable(path="/base/people")),
        ("a/b", SourceTable(path="/base/a/b")),
        ("/abs/people", SourceTable(path="/abs/people")),
        ("s3://bucket/people", SourceTable(path="s3://bucket/people")),
        ("main.crm.people", SourceTable(name="main.crm.people")),
        ("crm.people", SourceTable(name="crm.people")),
    ],
)
def test_sources_are_paths_or_names(source_text: str, expected: SourceTable) -> None:
    """A name has dots, a path has slashes, and what has neither is below the root."""
    assert locate(source_text, root="/base/", file="f.yml") == expected


def test_a_relative_source_needs_a_root() -> None:
    """Without sources.root a relative path is refused."""
    with pytest.raises(FeedError, match=r"sources.root is not set"):
        locate("people", root=None, file="f.yml")
