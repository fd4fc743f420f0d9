"""Server's words without persons in them."""

import pytest

from pipeline.core.scrub import CAP, scrub


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("userId is required", "userId is required"),
        ("unknown ann.lee@example.com here", "unknown [email] here"),
        ('bad value "Ann Lee"', "bad value [value]"),
        ("phone 491701234567 is wrong", "phone [value] is wrong"),
        ('{"meta":{"errors":["too long"]}}', "too long"),
        (
            '{"meta":{"errors":[{"message":"bad"},{"reason":"worse"},{}]}}',
            "bad; worse; unnamed error",
        ),
        ('{"meta":{"errors":"odd"}}', "{[value]:{[value]:[value]}}"),
    ],
)
def test_scrubbing(text, kept):
    """What explains stays, what identifies goes."""
    assert scrub(text) == kept


def test_long_answers_are_cut():
    """Nobody reads a page of HTML in a ledger."""
    assert len(scrub("word " * 1000)) == CAP
