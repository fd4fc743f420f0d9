"""How a table is stored: its columns, properties and format, as the metastore or the log says."""

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import SparkSession

from pipeline.core.records import FORMAT_PROPERTY
from pipeline.tables.place import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One table as it is."""

    types: Mapping[str, str]
    """Column to Spark type, in the table's order."""
    comments: Mapping[str, str]
    properties: Mapping[str, str]

    @property
    def format(self) -> str | None:
        """The format version that wrote it, in its own words."""
        return self.properties.get(FORMAT_PROPERTY)


def stored(spark: SparkSession, place: Place) -> Stored | None:
    """The table at *place*; None where there is none."""
    properties = place.properties(spark)
    if properties is None:
        return None
    fields = place.read(spark).schema.fields
    return Stored(
        types={field.name: field.dataType.simpleString() for field in fields},
        comments={field.name: field.metadata.get("comment", "") for field in fields},
        properties=properties,
    )


def shape(spark: SparkSession, place: Place) -> tuple[str, tuple[str, ...]]:
    """Comment and partition columns; dearer to ask for than all of `stored`."""
    row = spark.sql(f"DESCRIBE DETAIL {place.sql}").select("description", "partitionColumns")
    found = row.collect()[0]
    return found["description"] or "", tuple(found["partitionColumns"])
