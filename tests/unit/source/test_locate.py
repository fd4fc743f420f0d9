"""Where a feed's source is."""

from pathlib import Path

import pytest

from pipeline.core.feed import FeedError
from pipeline.source.locate import locate


@pytest.mark.parametrize(
    ("source", "root", "sql"),
    [
        ("people", "/data", "delta.`/data/people`"),
        ("people", "main.shop", "`main`.`shop`.`people`"),
        ("main.other.people", "main.shop", "`main`.`other`.`people`"),
        ("/data/people", "main.shop", "delta.`/data/people`"),
        ("people", "s3://bucket/data", "delta.`s3://bucket/data/people`"),
    ],
)
def test_a_source_is_found_below_a_folder_or_in_a_schema(source, root, sql):
    """The same feed file reads another team's table in another target."""
    assert locate(source, root=root, file="feed.yml").sql == sql


def test_a_folder_below_the_working_directory_is_one_for_sql_too():
    """`conf/local.yml` names such a folder, and no table in it would be found by its SQL."""
    found = locate("people", root="build/demo/sources", file="feed.yml").sql
    assert found == f"delta.`{Path.cwd()}/build/demo/sources/people`"


def test_a_relative_source_without_a_root_is_refused():
    """It would be looked for wherever the job happens to run."""
    with pytest.raises(FeedError, match=r"sources\.root is not set"):
        locate("people", root=None, file="feed.yml")
