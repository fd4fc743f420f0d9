"""The sliding window."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sandbox.rate import RateWindow


@given(steps=st.lists(st.floats(0, 2), max_size=60), requests=st.integers(1, 5))
def test_never_more_than_the_rate_in_any_window(steps, requests):
    """Any three seconds hold at most the rate, and a refusal means that they were full."""
    window, now, admitted = RateWindow(requests, 3.0), 0.0, []
    for step in steps:
        now += step
        recent = [t for t in admitted if t > now - 3.0]
        ok = window.admit(now)
        assert ok is (len(recent) < requests)
        if ok:
            admitted.append(now)
