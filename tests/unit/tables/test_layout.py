"""Where the pipeline's tables are."""

from pathlib import Path

import pytest

from pipeline.core.records import OUTCOMES
from pipeline.tables.layout import Layout


@pytest.mark.parametrize(
    "root",
    [
        "dbfs:/tmp/pipeline",
        "abfss://box@account.dfs.core.windows.net/pipeline",
        "s3://box/pipeline",
    ],
)
@pytest.mark.parametrize("end", ["", "/"])
def test_a_uri_stays_what_it_is(root, end):
    """Tables of a cloud's storage would be looked for in a folder of the driver."""
    assert Layout(root=root + end).place(OUTCOMES).path == f"{root}/outcomes"


def test_a_relative_folder_is_of_the_working_directory():
    """A session with another working directory would find no tables."""
    place = Layout(root="build/demo/tables").place(OUTCOMES)
    assert place.path == str(Path.cwd() / "build" / "demo" / "tables" / "outcomes")
