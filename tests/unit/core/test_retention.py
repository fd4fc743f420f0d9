"""How long a source keeps what has not been read."""

from datetime import timedelta

import pytest

from pipeline.core.retention import FILES, LOG, retention, used


@pytest.mark.parametrize(
    ("properties", "kept"),
    [
        ({}, timedelta(days=7)),
        ({FILES: "interval 60 days"}, timedelta(days=30)),
        ({FILES: "INTERVAL 2 WEEKS", LOG: "interval 12 hours"}, timedelta(hours=12)),
        ({FILES: "interval 1 day 6 hours"}, timedelta(hours=30)),
        ({FILES: "whatever"}, timedelta(days=7)),
    ],
)
def test_the_shorter_of_log_and_files_counts(properties, kept):
    """An alert would come after the files are gone."""
    assert retention(properties) == kept


def test_the_share_grows_with_age_and_no_retention_is_used_up():
    """A table that keeps nothing would count as safe."""
    assert used(timedelta(days=4), timedelta(days=8)) == 0.5
    assert used(timedelta(), timedelta()) == 1.0
