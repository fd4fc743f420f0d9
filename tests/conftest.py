"""Fixtures that all tests share: one Spark session a run."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from pyspark.sql import SparkSession

from pipeline.tables.layout import Layout, create_tables
from pipeline.tables.session import QUICK, local_session


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One local session with Delta for the whole run: starting it is the dearest thing here."""
    session = local_session("tests", java=QUICK)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def lay_tables(spark, tmp_path_factory) -> Callable[[Layout], None]:
    """Lay the pipeline's tables, empty, where a test wants them; they are made once."""
    made = tmp_path_factory.mktemp("made")
    create_tables(spark, Layout(root=str(made)))

    def lay(where: Layout) -> None:
        assert where.root is not None
        shutil.copytree(made, where.root, dirs_exist_ok=True)

    return lay
