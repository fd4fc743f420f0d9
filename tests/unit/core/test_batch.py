"""Packing messages into requests."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.batch import Batch, Lane, bisect, pack
from pipeline.core.wire import batch_request

ENVELOPES = (b"{}", b'{"context":{"app":"a"}}')


def lane(sizes, envelopes=None, alone=None):
    count = len(sizes)
    return Lane(
        sizes=np.array(sizes, dtype=np.int64),
        envelopes=np.array(envelopes or [0] * count, dtype=np.int32),
        alone=np.array(alone or [False] * count, dtype=np.bool_),
    )


@given(
    st.lists(
        st.tuples(st.integers(3, 60), st.integers(0, 1), st.booleans()), min_size=0, max_size=60
    ),
    st.integers(100, 300),
)
def test_batches_hold_all_calls_in_order_and_never_exceed_the_limit(calls, limit):
    """Every call once, in order; each request within the limit, measured on its real bytes."""
    sizes, envelopes, alone = (
        (list(part) for part in zip(*calls, strict=True))
        if calls
        else (
            [],
            [],
            [],
        )
    )
    batches = list(pack(lane(sizes, envelopes, alone), ENVELOPES, limit))
    assert [p for batch in batches for p in batch.places.tolist()] == list(range(len(sizes)))
    for batch in batches:
        places = batch.places.tolist()
        assert len({envelopes[p] for p in places}) == 1
        if batch.alone:
            assert len(places) == 1
        else:
            assert not any(alone[p] for p in places)
            text = b"".join(b"x" * (sizes[p] - 1) + b"," for p in places)
            assert len(batch_request(text, batch.envelope).body) <= limit


@given(st.lists(st.integers(3, 50), min_size=2, max_size=60))
def test_a_batch_ends_only_where_the_next_call_does_not_fit(sizes):
    """Greedy: moving the next batch's first call into the one before would break the limit."""
    limit = 120
    batches = list(pack(lane(sizes), ENVELOPES, limit))
    for batch, following in pairwise(batches):
        places = [*batch.places.tolist(), int(following.places[0])]
        text = b"".join(b"x" * (sizes[p] - 1) + b"," for p in places)
        assert len(batch_request(text, b"{}").body) > limit


def test_bisecting_keeps_all_calls_in_order():
    """Two halves that are the whole; one call has none."""
    first, second = bisect(Batch(places=np.arange(5), envelope=b"{}", alone=False))
    assert [*first.places.tolist(), *second.places.tolist()] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="no halves"):
        bisect(Batch(places=np.arange(1), envelope=b"{}", alone=False))
