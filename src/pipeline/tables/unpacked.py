"""A row of `outcomes` for each message, in SQL: the packed rows of `core.packed` are unpacked.

Whoever counts or names messages reads this. The table itself is enough for requests and tasks, and
for what waits or died: packed are those alone that were accepted.
"""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.core.ids import ENTITY_HASH_BYTES, ID_LENGTH
from pipeline.core.packed import COLUMNS, COUNT, ENTITIES, IDS
from pipeline.core.records import OUTCOMES

NAMES: Final = tuple(c.name for c in OUTCOMES.columns if c.name not in COLUMNS)
"""Columns of a message's row: all of `outcomes` but the packed ones."""
_ALONE: Final = f"{COUNT} IS NULL"
# The kind is said for the sake of the partitions: no other one is opened.
_TOGETHER: Final = f"kind = 'accepted' AND {COUNT} IS NOT NULL"
_SHARED: Final = tuple(name for name in NAMES if name not in {"message_id", "entity_hash"})
_OWN: Final = ("message_id", "entity_hash", *COLUMNS)
# The outer lambda holds the long values: a column's would be copied anew for each message.
_STRUCTS: Final = f"""flatten(transform(
            array(named_struct('ids', {IDS}, 'hashes', {ENTITIES})),
            p -> transform(sequence(0, {COUNT} - 1), i -> named_struct(
                'message_id',
                CAST(substring(p.ids, i * {ID_LENGTH} + 1, {ID_LENGTH}) AS STRING),
                'entity_hash',
                substring(p.hashes, i * {ENTITY_HASH_BYTES} + 1, {ENTITY_HASH_BYTES})))))"""
_EACH: Final = f"inline({_STRUCTS})"
_ALONE_OR_EACH: Final = f"""inline(IF({COUNT} IS NULL,
            array(named_struct('message_id', message_id, 'entity_hash', entity_hash)),
            {_STRUCTS}))"""
FEW: Final = 8
"""Ids that are looked for in packed rows as they are: of more it is quicker to unpack them all."""


def unpacked_sql(table: str) -> str:
    """The same of *table*: a name, a version of it, or a query in parentheses."""
    names, shared = ", ".join(NAMES), ", ".join(_SHARED)
    return f"""
        SELECT {names}
        FROM {table} WHERE {_ALONE}
        UNION ALL
        SELECT {names}
        FROM (SELECT {shared},
            {_EACH}
            FROM {table} WHERE {_TOGETHER})"""


def unpacked(rows: DataFrame, ids: Sequence[str] = ()) -> DataFrame:
    """Rows of `outcomes` with a row for each message, and without the packed columns.

    Where only messages of these *ids* are asked for, what surely holds none of them may be absent.
    """
    if 0 < len(ids) <= FEW:
        held = [F.contains(F.col(IDS), F.lit(bytearray(one.encode()))) for one in ids]
        rows = rows.where(F.col(COUNT).isNull() | reduce(or_, held))
    packed = rows.where(_TOGETHER).selectExpr(*_SHARED, _EACH)
    return rows.where(_ALONE).select(*NAMES).unionAll(packed.select(*NAMES))


def each_of(rows: DataFrame) -> DataFrame:
    """The same in one pass and with all other columns of *rows*: where they are read once.

    No filter of what reads it reaches the files.
    """
    others = [name for name in rows.columns if name not in _OWN]
    return rows.selectExpr(*others, _ALONE_OR_EACH)
