"""The upstream teams' shop: its Delta tables, written without a JVM, and what was written."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

from pipeline.core.feed import Operation
from pipeline.demo.retail import Retail

CHANGE_FEED: Final[Mapping[str, str | None]] = {"delta.enableChangeDataFeed": "true"}
HOUSEHOLDS: Final = "households"
BASKETS: Final = "baskets"
REDEMPTIONS: Final = "coupon_redemptions"
CAMPAIGNS: Final = "campaigns"
FEEDS: Final = (HOUSEHOLDS, BASKETS, REDEMPTIONS, CAMPAIGNS)
"""Source tables; the feeds have the same names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one commit changed, counted by who wrote it."""

    table: str
    operation: Operation
    changes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Portions:
    """Who gets which rows: what is there at the start, and what each scene may write."""

    history: pa.Table
    """Baskets from before the pipeline was there."""
    commits: pa.Table
    """Baskets that come while all is well."""
    later: pa.Table
    """Baskets that come while the destination is down."""
    redemptions: pa.Table
    late_redemptions: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A folder of source tables and the rows that will be in them."""

    root: Path
    retail: Retail
    portions: Portions

    def append(self, table: str, rows: pa.Table) -> Written:
        """Insert rows in one commit; the first one makes the table, change feed on."""
        write_deltalake(
            str(self.root / table), rows, mode="append", configuration=CHANGE_FEED, name=table
        )
        return Written(table=table, operation="insert", changes=len(rows))

    def delta(self, table: str) -> DeltaTable:
        """The table as it is now."""
        return DeltaTable(str(self.root / table))

    def rows(self, table: str, schema: pa.Schema) -> pa.Table:
        """All rows as they are now.

        Read file by file: `to_pyarrow_table` hands the files to Arrow's threads through Python,
        and now and then a process that did so aborts when it ends (deltalake 1.6.6).
        """
        added = pa.table(self.delta(table).get_add_actions(flatten=True))
        files = [self.root / table / path for path in added["path"].to_pylist()]
        return pa.concat_tables(pq.ParquetFile(file).read().cast(schema) for file in files)


def open_shop(root: Path, retail: Retail) -> Shop:
    """A shop with nothing written yet: two fifths of the baskets are history, two come late."""
    count, half = len(retail.baskets), len(retail.coupon_redemptions) // 2
    past, soon = count * 2 // 5, count // 5
    portions = Portions(
        history=retail.baskets.slice(0, past),
        commits=retail.baskets.slice(past, soon),
        later=retail.baskets.slice(past + soon),
        redemptions=retail.coupon_redemptions.slice(0, half),
        late_redemptions=retail.coupon_redemptions.slice(half),
    )
    return Shop(root=root, retail=retail, portions=portions)


def cut(rows: pa.Table, parts: int) -> tuple[pa.Table, ...]:
    """*rows* in at most *parts* pieces of about the same size, in order, none of them empty."""
    edges = [len(rows) * n // parts for n in range(parts + 1)]
    return tuple(rows.slice(a, b - a) for a, b in pairwise(edges) if b > a)
