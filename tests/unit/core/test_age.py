"""Ages as people write and read them."""

from datetime import timedelta

import pytest

from pipeline.core.age import age_text, parse_age


def test_ages_are_read_with_their_unit():
    """A wrong factor would choose the wrong messages."""
    assert parse_age("90s") == timedelta(seconds=90)
    assert parse_age(" 15M ") == timedelta(minutes=15)
    assert parse_age("2h") == timedelta(hours=2)
    assert parse_age("3d") == timedelta(days=3)


@pytest.mark.parametrize("text", ["", "15", "h", "1w", "-3h", "1.5h"])
def test_what_is_no_age_is_refused(text):
    """A typing error must not be taken for some other age."""
    with pytest.raises(ValueError, match="a number and a unit"):
        parse_age(text)


def test_ages_are_said_in_a_unit_that_leaves_more_than_one():
    """A screen that says 5400 s or 0 d is not read at night."""
    assert [age_text(s) for s in (None, 0.0, 119, 120, 7199, 7200, 200_000)] == [
        "-", "0 s", "119 s", "2 m", "120 m", "2 h", "2 d",
    ]  # fmt: skip
