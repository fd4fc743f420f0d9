"""Upstream plays its scenes: what a source table may do to a pipeline, one after the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import write_deltalake

from pipeline.demo.retail import HOUSEHOLDS as HOUSEHOLD_ROW
from pipeline.demo.retail import REDEMPTIONS as REDEMPTION_ROW
from pipeline.demo.shop import (
    BASKETS,
    CAMPAIGNS,
    HOUSEHOLDS,
    REDEMPTIONS,
    Shop,
    Written,
    cut,
)

OVERSIZED: Final = 400
"""Lines of a basket whose call is over 32,000 bytes: a line takes about 130."""
LOADED_AT: Final = datetime(2018, 1, 2, 3, 4, 5, tzinfo=UTC)
COMMITS: Final = 5
LATE_COMMITS: Final = 4
"""Of baskets, an illness."""

Play = Callable[[Shop], Iterator[Written]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One thing that upstream does, with a sentence for who watches."""

    name: str
    says: str
    play: Play
    """Yields after each commit."""


def opening(shop: Shop) -> Iterator[Written]:
    """The tables as they are before the pipeline starts."""
    yield shop.append(HOUSEHOLDS, shop.retail.households)
    yield shop.append(BASKETS, shop.portions.history)
    yield shop.append(REDEMPTIONS, shop.portions.redemptions.slice(0, 0))
    yield shop.append(CAMPAIGNS, shop.retail.campaigns.slice(0, 0))


def several_commits(shop: Shop) -> Iterator[Written]:
    """Inserts, a commit each."""
    for rows in cut(shop.portions.commits, COMMITS):
        yield shop.append(BASKETS, rows)
    for rows in cut(shop.retail.campaigns, 2):
        yield shop.append(CAMPAIGNS, rows)
    for rows in cut(shop.portions.redemptions, 2):
        yield shop.append(REDEMPTIONS, rows)


def one_household(shop: Shop) -> Iterator[Written]:
    """The busiest household's newest baskets again, as a till that was offline sends them."""
    busiest = _busiest(shop.portions.commits)
    mine = shop.portions.commits.filter(pc.equal(shop.portions.commits["household_id"], busiest))
    yield shop.append(BASKETS, _renamed(mine.slice(0, 12), "late-"))


def updates(shop: Shop) -> Iterator[Written]:
    """New facts about some households, and a corrected total of some baskets."""
    found = shop.delta(HOUSEHOLDS).update(
        updates={"kids_count": "'3+'", "household_size": "'5+'"},
        predicate="age = '35-44' AND kids_count = '2'",
    )
    yield _updated(HOUSEHOLDS, found)
    ids = _listed(shop.portions.history["basket_id"].slice(0, 20))
    found = shop.delta(BASKETS).update(
        updates={"total": "total + 1.0"}, predicate=f"basket_id IN ({ids})"
    )
    yield _updated(BASKETS, found)


def idle_updates(shop: Shop) -> Iterator[Written]:
    """A load time is set that no feed maps: nothing to tell anyone."""
    found = shop.delta(HOUSEHOLDS).update(
        updates={"loaded_at": f"TIMESTAMP '{LOADED_AT:%Y-%m-%d %H:%M:%S}'"},
        predicate="marital_status = 'Married'",
    )
    yield _updated(HOUSEHOLDS, found)


def deletes(shop: Shop) -> Iterator[Written]:
    """Households that close their account, and orders that are cancelled."""
    gone = _listed(_quiet(shop, 5))
    found = shop.delta(HOUSEHOLDS).delete(f"household_id IN ({gone})")
    yield _deleted(HOUSEHOLDS, found)
    ids = _listed(shop.portions.history["basket_id"].slice(20, 3))
    found = shop.delta(BASKETS).delete(f"basket_id IN ({ids})")
    yield _deleted(BASKETS, found)


def unmappable(shop: Shop) -> Iterator[Written]:
    """A till with a wrong clock: a redemption on the 31st of February, among good ones."""
    bad = {
        "household_id": "1029",
        "coupon_upc": "51380041013",
        "campaign_id": "26",
        "redeemed_on": "2017-02-31",
    }
    good = {**bad, "redeemed_on": "2017-02-28"}
    yield shop.append(REDEMPTIONS, pa.Table.from_pylist([good, bad], REDEMPTION_ROW))


def oversized(shop: Shop) -> Iterator[Written]:
    """A canteen's order: the lines of many baskets in one, more than a call can hold."""
    first = shop.portions.history.slice(0, 1).to_pylist()[0]
    lines = pc.list_flatten(shop.portions.history["lines"]).slice(0, OVERSIZED).to_pylist()
    repeated = [lines[n % len(lines)] for n in range(OVERSIZED)]
    order = {**first, "basket_id": "canteen-1", "lines": repeated}
    yield shop.append(BASKETS, pa.Table.from_pylist([order], shop.portions.history.schema))


def merge(shop: Shop) -> Iterator[Written]:
    """A MERGE: thirty households with a new income, three new households."""
    known = pc.is_valid(shop.retail.households["income"])
    some = shop.retail.households.filter(known).slice(0, 30).to_pylist()
    changed = [{**row, "income": "250K+ (estimated)"} for row in some]
    new = [
        {**row, "household_id": f"new-{n}", "email": f"household-new-{n}@example.com"}
        for n, row in enumerate(some[:3], 1)
    ]
    found = (
        shop.delta(HOUSEHOLDS)
        .merge(
            pa.Table.from_pylist(changed + new, HOUSEHOLD_ROW),
            predicate="target.household_id = source.household_id",
            source_alias="source",
            target_alias="target",
        )
        .when_matched_update_all()
        .when_not_matched_insert_all()
        .execute()
    )
    yield _counted(HOUSEHOLDS, "update", found["num_target_rows_updated"])
    yield _counted(HOUSEHOLDS, "insert", found["num_target_rows_inserted"])


def overwrite(shop: Shop) -> Iterator[Written]:
    """An INSERT OVERWRITE of all households that changes one in a thousand."""
    rows = shop.rows(HOUSEHOLDS, HOUSEHOLD_ROW).sort_by("household_id")
    every = pa.array([n % 1000 == 0 for n in range(len(rows))])
    moved = pc.if_else(every, "Renter (moved)", rows["home_ownership"])
    place = rows.schema.get_field_index("home_ownership")
    written = rows.set_column(place, HOUSEHOLD_ROW.field("home_ownership"), moved)
    write_deltalake(str(shop.root / HOUSEHOLDS), written, mode="overwrite")
    yield _counted(HOUSEHOLDS, "update", len(written))


def while_down(shop: Shop, part: int, parts: int) -> Iterator[Written]:
    """One of *parts* of what is written while the destination is ill.

    Baskets, redemptions, and facts about the households that bought: who waits in the retry
    queue must keep their order.
    """
    for rows in cut(_part(shop.portions.later, part, parts), LATE_COMMITS):
        yield shop.append(BASKETS, rows)
    for rows in cut(_part(shop.portions.late_redemptions, part, parts), 1):
        yield shop.append(REDEMPTIONS, rows)
    ids = _listed(_part(shop.portions.later, part, parts)["household_id"].slice(0, 10))
    found = shop.delta(HOUSEHOLDS).update(
        updates={"household_comp": f"'Seen while ill, {part}'"},
        predicate=f"household_id IN ({ids})",
    )
    yield _updated(HOUSEHOLDS, found)


SCENES: Final = (
    Scene(
        name="inserts",
        says="New baskets, campaigns and coupon redemptions arrive in several commits.",
        play=several_commits,
    ),
    Scene(
        name="one household",
        says="A till that was offline sends many baskets of one household in one commit.",
        play=one_household,
    ),
    Scene(
        name="updates",
        says="Facts about households change, and totals of baskets are corrected.",
        play=updates,
    ),
    Scene(
        name="idle updates",
        says="Households get a load time that no feed maps: nothing is to be sent.",
        play=idle_updates,
    ),
    Scene(
        name="deletes",
        says="Five households close their accounts, three orders are cancelled.",
        play=deletes,
    ),
    Scene(
        name="cannot be mapped",
        says="A coupon is redeemed on the 31st of February: a dead letter, and the rest goes on.",
        play=unmappable,
    ),
    Scene(
        name="over 32 KB",
        says="A canteen orders more lines than a call can hold: a dead letter, and not a silence.",
        play=oversized,
    ),
    Scene(
        name="MERGE",
        says="A MERGE updates thirty households and inserts three.",
        play=merge,
    ),
    Scene(
        name="INSERT OVERWRITE",
        says="All households are written anew, one in a thousand is different: nobody is deleted.",
        play=overwrite,
    ),
)
"""What is played while the destination is well, in this order."""


def _part(rows: pa.Table, part: int, parts: int) -> pa.Table:
    first, end = len(rows) * part // parts, len(rows) * (part + 1) // parts
    return rows.slice(first, end - first)


def _busiest(baskets: pa.Table) -> str:
    counts = pc.value_counts(baskets["household_id"]).to_pylist()
    return str(max(counts, key=lambda one: (one["counts"], one["values"]))["values"])


def _quiet(shop: Shop, count: int) -> pa.Array:
    """Households that buy nothing and redeem nothing from now on, as far as there are any."""
    ids = shop.retail.households["household_id"]
    busy = pa.chunked_array(
        [
            *shop.portions.later["household_id"].chunks,
            *shop.portions.late_redemptions["household_id"].chunks,
        ],
        pa.string(),
    )
    still = pc.invert(pc.is_in(ids, busy.combine_chunks()))
    return pa.concat_arrays([ids.filter(still).combine_chunks(), ids.combine_chunks()])[:count]


def _renamed(baskets: pa.Table, prefix: str) -> pa.Table:
    ids = pc.binary_join_element_wise(prefix, baskets["basket_id"], "")
    return baskets.set_column(0, baskets.schema.field(0), ids)


def _listed(ids: pa.ChunkedArray | pa.Array) -> str:
    return ", ".join(f"'{one}'" for one in sorted(set(ids.to_pylist())))


def _updated(table: str, metrics: dict[str, int]) -> Written:
    return _counted(table, "update", metrics["num_updated_rows"])


def _deleted(table: str, metrics: dict[str, int]) -> Written:
    return Written(table=table, operation="delete", changes=metrics["num_deleted_rows"])


def _counted(table: str, operation: str, changes: int) -> Written:
    return Written(
        table=table, operation="insert" if operation == "insert" else "update", changes=changes
    )
