"""Which files may be vacuumed: never those of commits that drain has not read."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.operations.files import takes_unread

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
AGO = NOON - timedelta(hours=1)


@pytest.mark.parametrize(
    ("later", "taken"),
    [
        ([], False),
        ([(7, AGO, "WRITE"), (8, AGO, "WRITE")], False),
        ([(7, AGO, "OPTIMIZE")], False),
        ([(7, AGO, "OPTIMIZE"), (8, AGO, "WRITE")], False),
        ([(7, AGO, "WRITE"), (8, AGO, "OPTIMIZE")], True),
        ([(7, AGO, "WRITE"), (8, AGO, "SET TBLPROPERTIES"), (9, AGO, "UPDATE")], True),
        ([(7, AGO, "WRITE"), (8, NOON, "OPTIMIZE")], False),
    ],
)
def test_a_rewrite_counts_where_it_follows_what_is_unread(later, taken):
    """Drain would find its next commit's files gone, or nothing would ever be vacuumed."""
    assert takes_unread(later, NOON) is taken
