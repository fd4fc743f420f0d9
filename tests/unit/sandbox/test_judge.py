"""What becomes of requests and their calls."""

import json
from dataclasses import replace

import pytest

from pipeline.sandbox.config import Limits
from pipeline.sandbox.judge import Terms, judge
from pipeline.sandbox.read import read

TERMS = Terms(
    limits=Limits(call_bytes=200, batch_bytes=1000),
    strict=True,
    key_ok=True,
    suppressed=frozenset(),
)
PERMISSIVE = replace(TERMS, strict=False)
GOOD = {"type": "track", "userId": "u", "event": "e", "messageId": "m"}
BAD = {"type": "track", "userId": "u", "messageId": "bad"}
LARGE = {**GOOD, "messageId": "large", "properties": {"x": "y" * 200}}


def batch(*calls):
    return read("batch", json.dumps({"batch": calls}, separators=(",", ":")).encode())


def fates(verdict):
    return [(a.message_id, a.dropped) for a in verdict.arrivals]


def test_good_calls_are_applied():
    """A valid batch is answered 200 and all of it is applied."""
    verdict = judge(batch(GOOD, GOOD), TERMS)
    assert (verdict.status, fates(verdict)) == (200, [("m", None), ("m", None)])


def test_one_bad_call_refuses_a_strict_batch_whole():
    """Siblings of a bad call are not applied, and the error names the place."""
    verdict = judge(batch(GOOD, BAD, GOOD), TERMS)
    assert verdict.status == 400
    assert verdict.errors == ("batch[1]: event is required",)
    assert verdict.arrivals == ()


def test_one_bad_call_vanishes_without_strict_mode():
    """Without strict mode it is a 200, the bad call is dropped, the others are applied."""
    verdict = judge(batch(GOOD, BAD), PERMISSIVE)
    assert (verdict.status, fates(verdict)) == (200, [("m", None), ("bad", "invalid")])
    assert verdict.arrivals[1].detail == "event is required"


def test_a_wrong_key():
    """Strict mode says 401; without it the calls vanish."""
    strict = judge(batch(GOOD), replace(TERMS, key_ok=False))
    assert (strict.status, strict.arrivals) == (401, ())
    silent = judge(batch(GOOD), replace(PERMISSIVE, key_ok=False))
    assert (silent.status, fates(silent)) == (200, [("m", "wrong_key")])


@pytest.mark.parametrize("terms", [TERMS, PERMISSIVE])
def test_too_large_vanishes_even_in_strict_mode(terms):
    """An oversized call vanishes alone, an oversized batch with all its calls."""
    one = judge(batch(GOOD, LARGE), terms)
    assert (one.status, fates(one)) == (200, [("m", None), ("large", "call_too_large")])
    alone = judge(read("track", json.dumps(LARGE).encode()), terms)
    assert (alone.status, fates(alone)) == (200, [("large", "call_too_large")])
    whole = judge(batch(*[GOOD] * 20), terms)
    assert (whole.status, set(fates(whole))) == (200, {("m", "batch_too_large")})


def test_limits_are_inclusive():
    """Exactly as many bytes as the limit are still taken."""
    body = json.dumps(GOOD).encode()
    exact = replace(TERMS, limits=Limits(call_bytes=len(body)))
    assert fates(judge(read("track", body), exact)) == [("m", None)]
    below = replace(TERMS, limits=Limits(call_bytes=len(body) - 1))
    assert fates(judge(read("track", body), below)) == [("m", "call_too_large")]


def test_the_empty_batch_is_a_harmless_probe():
    """400 with the right key, 401 with a wrong one, and nothing arrives."""
    verdict = judge(batch(), TERMS)
    assert (verdict.status, verdict.errors) == (400, ("batch must not be empty",))
    assert judge(batch(), replace(TERMS, key_ok=False)).status == 401
    assert judge(batch(), PERMISSIVE).arrivals == ()


def test_malformed_bodies():
    """What can't be read is a 400, or one nameless dropped call."""
    reading = read("batch", b'{"batch": [')
    assert judge(reading, TERMS).status == 400
    assert fates(judge(reading, PERMISSIVE)) == [(None, "malformed")]
    surrogate = read("identify", b'{"userId": "u", "traits": {"a": "\\ud800"}}')
    assert judge(surrogate, TERMS).status == 400


def test_suppression_counts_from_the_next_call_on():
    """Within one batch, calls after a suppression are ignored until it is lifted."""
    suppress = {**GOOD, "event": "User Suppressed", "messageId": "s"}
    lift = {**GOOD, "event": "User Unsuppressed", "messageId": "l"}
    verdict = judge(batch(GOOD, suppress, GOOD, lift, GOOD), TERMS)
    assert [dropped for _, dropped in fates(verdict)] == [None, None, "suppressed", None, None]
    assert verdict.suppressed == frozenset()
    assert judge(batch(suppress), TERMS).suppressed == {"u"}


def test_a_refused_batch_suppresses_nobody():
    """What a refused batch would have done is not done."""
    suppress = {**GOOD, "event": "User Suppressed"}
    verdict = judge(batch(suppress, BAD), TERMS)
    assert (verdict.suppressed, verdict.effects) == (frozenset(), ())
