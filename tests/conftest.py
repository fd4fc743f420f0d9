"""Fixtures that all tests share: one Spark session a run."""

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from pipeline.tables.session import QUICK, local_session


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One local session with Delta for the whole run: starting it is the dearest thing here."""
    session = local_session("tests", java=QUICK)
    yield session
    session.stop()
