"""Backoff of the retry queue."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.retry import RetryPolicy, exhausted, jitter, next_attempt_at

NOW = datetime(2026, 11, 22, tzinfo=UTC)
POLICY = RetryPolicy(wait_initial=timedelta(seconds=10), wait_max=timedelta(minutes=10))


def test_the_ceiling_doubles_up_to_the_cap():
    """Full jitter below 10, 20, 40 ... seconds, at most ten minutes."""
    waits = [next_attempt_at(POLICY, n, NOW, jitter=1.0) - NOW for n in (1, 2, 3, 7, 8, 1000)]
    assert [w.total_seconds() for w in waits] == [10, 20, 40, 600, 600, 600]


def test_what_the_server_asks_for_is_the_least():
    """Retry-After is honoured whatever the jitter says."""
    asked = timedelta(minutes=30)
    assert next_attempt_at(POLICY, 1, NOW, jitter=0.0, retry_after=asked) == NOW + asked


@given(st.integers(1, 2000), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_never_shorter_than_the_least_nor_longer_than_the_cap(failures, share):
    """No hot loop, no forgotten message."""
    wait = next_attempt_at(POLICY, failures, NOW, jitter=share) - NOW
    assert POLICY.wait_min <= wait <= POLICY.wait_max


def test_jitter_spreads_and_repeats():
    """The same message waits the same time in a test; two messages differ."""
    shares = [jitter(f"m{i}", 1) for i in range(200)]
    assert shares == [jitter(f"m{i}", 1) for i in range(200)]
    assert 0.4 < sum(shares) / 200 < 0.6


def test_the_last_counted_attempt_is_the_last():
    """Eight, as the default has it."""
    assert not exhausted(RetryPolicy(), 7)
    assert exhausted(RetryPolicy(), 8)
