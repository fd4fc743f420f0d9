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


BODY = (
    b'{"batch":[{"userId":"finch 7","traits":{"name":"Ann Lee","note":"Lives at the sea with nine '
    b'cats","plan":"go"}}]}'
)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Ann Lee is no name for finch 7", "[value] is no name for [value]"),
        ("name is too long: Ann L", "name is too long: [value]"),
        ("plan must go", "plan must go"),
        ("no cats with Lee. please", "no cats with [value] please"),
        ('{"meta":{"errors":["Ann Lee is taken"]}}', "[value] is taken"),
        (
            '{"meta":{"errors":["bad: {\\"traits\\":{\\"name\\":\\"Ann L',
            "bad: {[value]:{[value]:[value]",
        ),
        ('bad "{\\"name\\":\\"Bob Roe\\"}"', "bad [value]"),
        ('bad {\\"name\\":\\"Bob Roe\\"}', "bad {[value]:[value]}"),
        ('bad "Bob Ro', "bad [value]"),
    ],
)
def test_what_the_request_said_is_taken_out(text, kept):
    """A server that quotes what it refuses would bring a person into the request log."""
    assert scrub(text, BODY) == kept


def test_long_answers_are_cut():
    """Nobody reads a page of HTML in a ledger."""
    assert len(scrub("word " * 1000)) == CAP
