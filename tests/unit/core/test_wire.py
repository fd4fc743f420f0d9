"""Requests and answers, without any I/O."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.core.outcome import Accepted, Held, Mixed, Rejected, Retryable
from pipeline.core.wire import (
    Answer,
    NoAnswer,
    batch_request,
    classify,
    headers,
    parse_retry_after,
    single_request,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CALL = b'{"type":"track","userId":"1"}'


def answer(status: int, text: str = "", retry_after: str | None = None) -> Answer:
    return Answer(status=status, retry_after=retry_after, text=text)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (answer(200), Accepted()),
        (answer(401), Held(reason="http_401")),
        (answer(403), Held(reason="http_403")),
        (answer(408), Retryable(reason="http_408")),
        (answer(429, retry_after="7"), Retryable(reason="http_429", retry_after=timedelta(0, 7))),
        (answer(500), Retryable(reason="http_500")),
        (answer(503), Retryable(reason="http_503")),
        (answer(302, "moved"), Rejected(reason="http_302", detail="moved")),
        (answer(202, "queued"), Rejected(reason="http_202", detail="queued")),
        (NoAnswer(reason="timeout"), Retryable(reason="timeout")),
    ],
)
def test_answers_are_classified(given, expected):
    """Only 200 is accepted; a redirect delivers nothing."""
    assert classify(given, NOW) == expected


def test_a_refusal_keeps_the_servers_words_but_no_persons():
    """The message of a strict 400 is kept, what it quotes is not."""
    text = json.dumps({"meta": {"errors": [{"message": 'userId "ann@example.com" is too long'}]}})
    assert classify(answer(400, text), NOW) == Rejected(
        reason="http_400", detail="userId [value] is too long"
    )


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("5", 5),
        ("1.5", 1.5),
        ("-3", 0),
        ("soon", 0),
        ("nan", 0),
        ("1e99", 86_400),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("9999999", 86_400),
    ],
)
def test_retry_after_is_read_in_both_forms(value, seconds):
    """RFC 9110, 10.2.3: seconds or a date; capped at a day."""
    assert parse_retry_after(value, NOW) == timedelta(seconds=seconds)


def test_a_batch_is_json_with_its_envelope():
    """The comma at the end of the last call is cut off; the envelope's parts follow."""
    request = batch_request(CALL + b"," + CALL + b",", b'{"context":{"app":"a"}}')
    assert request.endpoint == "batch"
    assert json.loads(request.body) == {
        "batch": [json.loads(CALL)] * 2,
        "context": {"app": "a"},
    }
    assert json.loads(batch_request(CALL, b"{}").body) == {"batch": [json.loads(CALL)]}


def test_a_call_alone_takes_the_envelope_into_itself():
    """For alias, which a batch does not take."""
    request = single_request("alias", CALL + b",", b'{"context":{"app":"a"}}')
    assert request.endpoint == "alias"
    assert json.loads(request.body) == {**json.loads(CALL), "context": {"app": "a"}}


def test_headers_carry_the_key_and_strict_mode():
    """Basic authentication with the key as user name and no password."""
    assert headers("k", strict=True)["Authorization"] == "Basic azo="
    assert headers("k", strict=True)["X-Strict-Mode"] == "1"
    assert "X-Strict-Mode" not in headers("k", strict=False)


def test_errors_for_single_calls_are_understood():
    """A call that was refused beside accepted siblings would count as accepted, or cost them."""
    errors = '{"errors": [{"batch_index": 2, "reason": "invalid", "message": "no"}]}'
    for status, text in ((207, errors), (200, errors), (200, f'{{"meta": {errors}}}')):
        found = classify(answer(status, text), NOW)
        assert isinstance(found, Mixed)
        assert [one.place for one in found.refused] == [2]
    for text in ("{}", "", '{"errors": []}', '{"errors": [{"message": "?"}]}', "[1]"):
        assert classify(answer(200, text), NOW) == Accepted()
        assert isinstance(classify(answer(207, text), NOW), Rejected)
