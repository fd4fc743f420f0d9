"""Failures written as JSON."""

import msgspec
import pytest

from pipeline.sandbox.failure import Failure, Match, parse_failure, parse_failures


def test_reads_every_field():
    """A failure with everything said arrives as it was written."""
    body = b"""{"kind": "status", "status": 503, "retry_after": 2, "seconds": 10, "requests": 50,
        "after_seconds": 1, "share": 0.5, "endpoints": ["batch"], "when": "after",
        "match": {"event": "e", "user_id": "u"}}"""
    expected = Failure(
        kind="status",
        status=503,
        retry_after=2,
        seconds=10,
        requests=50,
        after_seconds=1,
        share=0.5,
        endpoints=("batch",),
        when="after",
        match=Match(event="e", user_id="u"),
    )
    assert parse_failure(body) == expected
    assert parse_failures(msgspec.json.encode([expected, expected])) == (expected, expected)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "truncated"),
        (b'{"kind": "fire"}', "kind"),
        (b'{"kind": "reset", "for": 5}', "for"),
        (b'{"kind": "status"}', "status"),
        (b'{"kind": "reset", "status": 503}', "status"),
        (b'{"kind": "latency"}', "latency_ms"),
        (b'{"kind": "reset", "retry_after": 5}', "retry_after"),
        (b'{"kind": "reset", "share": 0}', "share"),
        (b'{"kind": "reset", "endpoints": ["btach"]}', "endpoints"),
    ],
)
def test_refuses_what_makes_no_sense(body, words):
    """What can't be meant is refused, with the field's name."""
    with pytest.raises(ValueError, match=words):
        parse_failure(body)
