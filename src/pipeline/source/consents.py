"""Who consents, by a table of its own: which keys do, and which of some entities."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.core.feed import Feed
from pipeline.core.feed_model import ConsentTable, ObjectEntity, PersonEntity
from pipeline.core.ids import entity_hashes
from pipeline.source.locate import SourceTable, locate
from pipeline.source.net import quoted
from pipeline.source.view import PREFIX

CONSENT_KEY: Final = f"{PREFIX}consent_key"
CONSENT_GIVEN: Final = f"{PREFIX}consent_given"


def consent_place(feed: Feed, root: str | None) -> SourceTable | None:
    """Where the feed's consent table is; None where it has none.

    Raises:
        FeedError: it is named by a relative path, and the settings name no root.
    """
    if not isinstance(feed.consent, ConsentTable):
        return None
    return locate(feed.consent.table, root=root, file=feed.file)


def with_consent(opened: DataFrame, id_: Column, table: SourceTable, by: ConsentTable) -> DataFrame:
    """*opened* with `CONSENT_GIVEN`: whether the entity of that id consents; null where unknown."""
    known = consents(opened.sparkSession, table, by)
    return opened.join(known, id_ == F.col(CONSENT_KEY), "left").drop(CONSENT_KEY)


def consents(spark: SparkSession, table: SourceTable, by: ConsentTable) -> DataFrame:
    """Each key once, and whether it consents: where it stands there twice, both must."""
    given = F.coalesce(quoted(by.column), F.lit(False))
    return (
        table.read(spark.read)
        .where(quoted(by.key).isNotNull())
        .groupBy(quoted(by.key).cast("string").alias(CONSENT_KEY))
        .agg(F.min(given).alias(CONSENT_GIVEN))
    )


def consenting(
    spark: SparkSession,
    feed: Feed,
    table: SourceTable,
    hashes: frozenset[bytes],
    hashing_key: bytes,
) -> frozenset[bytes]:
    """Those of *hashes* whose entity consents now. Reads the whole table, in tasks."""
    assert isinstance(feed.consent, ConsentTable)  # noqa: S101  asked only of such feeds
    keys = consents(spark, table, feed.consent).where(CONSENT_GIVEN).select(CONSENT_KEY)
    found = keys.mapInArrow(_among(hashes, entity_prefix(feed), hashing_key), "hash binary")
    return frozenset(bytes(row[0]) for row in found.collect())


def entity_prefix(feed: Feed) -> str:
    """What stands before an id where an entity is hashed."""
    match feed.entity:
        case PersonEntity():
            return "person:"
        case ObjectEntity(object=about):
            return f"object:{about.type}:"


def _among(
    hashes: frozenset[bytes], prefix: str, hashing_key: bytes
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def look(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            entities = [f"{prefix}{key}" for key in batch.column(0).to_pylist()]
            found = [one for one in entity_hashes(entities, hashing_key) if one in hashes]
            yield pa.RecordBatch.from_arrays([pa.array(found, pa.binary())], ["hash"])

    return look
