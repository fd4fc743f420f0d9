"""How the retailer's rows are portioned out."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.demo.shop import cut


@given(st.integers(0, 50), st.integers(1, 60))
def test_pieces_are_the_whole_in_order(rows: int, parts: int) -> None:
    """No row is lost or written twice, and no commit is empty."""
    table = pa.table({"n": pa.array(range(rows), pa.int64())})

    pieces = cut(table, parts)

    assert all(len(piece) for piece in pieces)
    assert len(pieces) <= parts
    assert [n for piece in pieces for n in piece["n"].to_pylist()] == list(range(rows))
