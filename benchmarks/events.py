"""The events that all contestants send: track events of about 350 bytes, and the feed of ours."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

PEOPLE = 50_000
NOTE = "a text of some length, as events have it in real life"
FIRST_SECOND = 1_790_000_000
"""When the first event happened, in seconds since the epoch; one a second from there."""

FEED = """
name: orders
source: {source}
start: latest
row_key: [order_id]
entity: {{person: customer_id}}
order_by: [ordered_at]
event_time: ordered_at
insert:
  type: track
  event: Order Completed
  properties:
    order_id: order_id
    total: total
    currency: currency
    items: items
    store: store
    note: note
"""


def table(spark: SparkSession, first: int, count: int) -> DataFrame:
    """Rows of a source table."""
    number = F.col("id")
    return spark.range(first, first + count, numPartitions=4).select(
        F.concat(F.lit("order-"), number).alias("order_id"),
        F.concat(F.lit("customer-"), number % PEOPLE).alias("customer_id"),
        F.round((number % 1000) * F.lit(0.37), 2).alias("total"),
        F.lit("EUR").alias("currency"),
        (number % 7).alias("items"),
        F.concat(F.lit("store-"), number % 300).alias("store"),
        F.lit(NOTE).alias("note"),
        F.timestamp_seconds(F.lit(FIRST_SECOND) + number).alias("ordered_at"),
    )


def rows(first: int, count: int) -> pa.Table:
    """The same rows without Spark."""
    people, properties = zip(*values(first, count), strict=True)
    numbers = range(first, first + count)
    second = [(FIRST_SECOND + number) * 1_000_000 for number in numbers]
    return (
        pa.Table.from_pylist(properties)
        .append_column("customer_id", pa.array(people))
        .append_column("ordered_at", pa.array(second, pa.timestamp("us", tz="UTC")))
    )


def as_json(changes: DataFrame, *, with_id: bool) -> DataFrame:
    """Rows of the change feed as calls, as plainly as Spark can: a column `call`."""
    properties = F.struct("order_id", "total", "currency", "items", "store", "note")
    id_ = [F.expr("uuid()").alias("messageId")] if with_id else []
    call = F.to_json(
        F.struct(
            F.lit("track").alias("type"),
            *id_,
            F.col("customer_id").alias("userId"),
            F.lit("Order Completed").alias("event"),
            F.col("ordered_at").alias("timestamp"),
            properties.alias("properties"),
        )
    )
    return changes.select(call.alias("call"))


def values(first: int, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same events from memory: user id and properties."""
    for number in range(first, first + count):
        yield (
            f"customer-{number % PEOPLE}",
            {
                "order_id": f"order-{number}",
                "total": round(number % 1000 * 0.37, 2),
                "currency": "EUR",
                "items": number % 7,
                "store": f"store-{number % 300}",
                "note": NOTE,
            },
        )
