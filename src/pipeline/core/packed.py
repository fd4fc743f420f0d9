"""Packed outcomes: one row for many accepted messages that differ in nothing but id and entity.

Of a million accepted messages, a row each is what costs most: thirty columns, written and read a
million times. A request's messages share all of them but two, so one row holds these two side by
side, fixed widths, in sending order. Nothing is left out: `unpack` gives a row each again, as the
view `message_outcomes` does in SQL.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.ids import ENTITY_HASH_BYTES, ID_LENGTH

COUNT: Final = "packed"
IDS: Final = "packed_ids"
ENTITIES: Final = "packed_entities"
COLUMNS: Final = (COUNT, IDS, ENTITIES)
"""Null in a row of one message."""


def fixed(rows: npt.NDArray[np.uint8]) -> pa.BinaryArray:
    """An (n, width) array of bytes as n values."""
    return joined(rows, np.arange(len(rows) + 1, dtype=np.int64))


def joined(rows: npt.NDArray[np.uint8], bounds: npt.NDArray[np.int64]) -> pa.BinaryArray:
    """Runs of an (n, width) array's rows, each as one value; run i ends where i + 1 begins."""
    offsets = (bounds * rows.shape[1]).astype(np.int32)
    text = np.ascontiguousarray(rows)
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(bounds) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    )


def unpack(rows: pa.Table) -> pa.Table:
    """Rows of `outcomes` with a row for each message; the packed columns are gone.

    Columns that *rows* lacks are not missed, as long as the packed three are there.
    """
    rows = rows.combine_chunks()
    plain = pc.is_null(rows[COUNT])
    alone = rows.filter(plain).drop_columns(list(COLUMNS))
    packed = rows.filter(pc.invert(plain)).combine_chunks()
    if packed.num_rows == 0:
        return alone
    each = pa.array(np.repeat(np.arange(packed.num_rows), packed[COUNT].to_numpy()))
    ids = b"".join(packed[IDS].to_pylist())
    hashes = b"".join(packed[ENTITIES].to_pylist())
    own = {
        "message_id": fixed(_rows(ids, ID_LENGTH)).cast(pa.string()),
        "entity_hash": fixed(_rows(hashes, ENTITY_HASH_BYTES)),
    }
    columns = {n: own[n] if n in own else packed[n].take(each) for n in alone.column_names}
    return pa.concat_tables([alone, pa.table(columns, schema=alone.schema)])


def _rows(text: bytes, width: int) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text, dtype=np.uint8).reshape(-1, width)
