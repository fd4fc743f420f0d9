"""The retailer's tables, shaped from a handful of rows."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from pipeline.demo.retail import (
    BASKETS,
    HOUSEHOLDS,
    baskets,
    campaigns,
    coupon_redemptions,
    households,
)

NOON = datetime(2017, 1, 1, 12, 0)  # noqa: DTZ001  the package's times have no zone


def line(basket: int, household: int, product: int, **changed: object) -> dict[str, object]:
    return {
        "household_id": household,
        "store_id": 330,
        "basket_id": basket,
        "product_id": product,
        "quantity": 1,
        "sales_value": 1.0,
        "retail_disc": 0.0,
        "coupon_disc": 0.0,
        "transaction_timestamp": NOON,
        **changed,
    }


TRANSACTIONS = pa.Table.from_pylist(
    [
        line(11, 2, 7, transaction_timestamp=NOON.replace(hour=13)),
        line(10, 1, 8, quantity=4, sales_value=6.0, retail_disc=0.5, coupon_disc=0.25),
        line(10, 1, 7, sales_value=0.1, retail_disc=0.2),
        line(12, 1, 9, quantity=0, sales_value=0.0, transaction_timestamp=NOON.replace(hour=14)),
    ]
)
PRODUCTS = pa.Table.from_pylist(
    [
        {"product_id": 8, "product_type": "TUNA", "product_category": "SEAFOOD", "brand": "Own"},
        {"product_id": 7, "product_type": "BAGELS", "product_category": None, "brand": "National"},
    ]
)
DEMOGRAPHICS = pa.Table.from_pylist(
    [
        {
            "household_id": 2,
            "age": "65+",
            "income": "35-49K",
            "home_ownership": "Renter",
            "marital_status": "Married",
            "household_size": "2",
            "household_comp": "2 Adults No Kids",
            "kids_count": "0",
        }
    ]
)


def test_a_basket_has_its_lines_in_order_and_its_sums() -> None:
    """Lines are gathered by basket, with unit prices and what the catalogue knows."""
    rows = baskets(TRANSACTIONS, PRODUCTS).to_pylist()

    assert [row["basket_id"] for row in rows] == ["10", "11", "12"]
    assert rows[0]["household_id"] == "1"
    assert rows[0]["basket_time"] == datetime(2017, 1, 1, 12, tzinfo=UTC)
    assert (rows[0]["total"], rows[0]["discount"]) == (6.1, 0.95)
    assert [line["name"] for line in rows[0]["lines"]] == ["BAGELS", "TUNA"]
    assert rows[0]["lines"][1]["price"] == 1.5


def test_a_line_without_quantity_or_catalogue_entry_is_kept() -> None:
    """Coupons appear as lines with quantity 0, and a few products are in no catalogue."""
    (line,) = baskets(TRANSACTIONS, PRODUCTS).to_pylist()[2]["lines"]

    assert line == {
        "product_id": "9",
        "name": None,
        "category": None,
        "brand": None,
        "quantity": 0,
        "price": 0.0,
    }


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 9, None])
def test_a_part_of_the_baskets_is_the_beginning_of_all(rows: int | None) -> None:
    """Taking fewer rows cuts between baskets, never within one."""
    part = baskets(TRANSACTIONS, PRODUCTS, rows)

    assert part.schema == BASKETS
    assert part.to_pylist() == baskets(TRANSACTIONS, PRODUCTS).to_pylist()[:rows]


def test_households_without_demographics_are_kept() -> None:
    """Everyone who bought something is a household."""
    rows = households(TRANSACTIONS, DEMOGRAPHICS)

    assert rows.schema == HOUSEHOLDS
    first, second = rows.to_pylist()
    assert (first["household_id"], first["age"]) == ("1", None)
    assert first["email"] == "household-1@example.com"
    assert first["first_basket_at"] == datetime(2017, 1, 1, 12, tzinfo=UTC)
    assert (second["household_id"], second["age"]) == ("2", "65+")


def test_redemptions_come_by_day_as_text() -> None:
    """Days are text, as a till would send them."""
    raw = pa.Table.from_pylist(
        [
            {
                "household_id": 5,
                "coupon_upc": 51380041013,
                "campaign_id": 26,
                "redemption_date": NOON.replace(day=day, hour=0),
            }
            for day in (3, 2)
        ]
    )

    rows = coupon_redemptions(raw).to_pylist()

    assert [row["redeemed_on"] for row in rows] == ["2017-01-02", "2017-01-03"]
    assert rows[0]["coupon_upc"] == "51380041013"


def test_a_membership_knows_its_campaign() -> None:
    """Type and days of the campaign are joined to each membership."""
    memberships = pa.Table.from_pylist([{"campaign_id": 1, "household_id": 105}])
    told = pa.Table.from_pylist(
        [
            {
                "campaign_id": 1,
                "campaign_type": "Type B",
                "start_date": NOON,
                "end_date": NOON.replace(month=2),
            }
        ]
    )

    assert campaigns(memberships, told).to_pylist() == [
        {
            "household_id": "105",
            "campaign_id": "1",
            "campaign_type": "Type B",
            "starts_on": "2017-01-01",
            "ends_on": "2017-02-01",
        }
    ]
