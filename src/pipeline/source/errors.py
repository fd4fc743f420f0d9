"""What Spark's errors say: the error class, and whether a row or the machinery is at fault."""

import re
from typing import Final

from pyspark.errors import PySparkException

_CLASS: Final = re.compile(r"\[([A-Z][A-Z0-9_]+(?:\.[A-Z0-9_]+)?)\]")

_BY_ROW: Final = (
    "ARITHMETIC_OVERFLOW", "BINARY_ARITHMETIC_OVERFLOW", "CANNOT_CHANGE_DECIMAL_PRECISION",
    "CANNOT_PARSE_DECIMAL", "CANNOT_PARSE_INTERVAL", "CANNOT_PARSE_JSON_FIELD",
    "CANNOT_PARSE_PROTOBUF_MESSAGE", "CANNOT_PARSE_TIME", "CANNOT_PARSE_TIMESTAMP",
    "CAST_INVALID_INPUT", "CAST_OVERFLOW", "COLLECTION_SIZE_LIMIT_EXCEEDED",
    "COMPARATOR_RETURNS_NULL", "CONVERSION_INVALID_INPUT", "DATETIME_FIELD_OUT_OF_BOUNDS",
    "DATETIME_OVERFLOW", "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION", "DIVIDE_BY_ZERO",
    "DUPLICATED_MAP_KEY", "ELEMENT_AT_BY_INDEX_ZERO", "EXCEED_LIMIT_LENGTH",
    "FAILED_TO_PARSE_TOO_COMPLEX", "INCONSISTENT_BEHAVIOR_CROSS_VERSION",
    "INTERVAL_ARITHMETIC_OVERFLOW", "INTERVAL_DIVIDED_BY_ZERO", "INVALID_ARRAY_INDEX",
    "INVALID_ARRAY_INDEX_IN_ELEMENT_AT", "INVALID_BITMAP_POSITION", "INVALID_CONVERSION",
    "INVALID_DATETIME_PATTERN", "INVALID_FRACTION_OF_SECOND", "INVALID_INDEX_OF_ZERO",
    "INVALID_PARAMETER_VALUE", "INVALID_REGEXP_REPLACE", "INVALID_URL", "INVALID_UTF8_STRING",
    "INVALID_VARIANT_CAST", "INVALID_VARIANT_GET_PATH", "MALFORMED_CSV_RECORD",
    "MALFORMED_RECORD_IN_PARSING", "MALFORMED_VARIANT", "NOT_NULL_ASSERT_VIOLATION",
    "NULL_MAP_KEY", "NUMERIC_OUT_OF_SUPPORTED_RANGE", "NUMERIC_VALUE_OUT_OF_RANGE",
    "REMAINDER_BY_ZERO", "SECOND_FUNCTION_ARGUMENT_NOT_INTEGER", "STRUCT_ARRAY_LENGTH_MISMATCH",
    "SUM_OF_LIMIT_AND_OFFSET_EXCEEDS_MAX_INT", "TIMESTAMP_OVERFLOW", "USER_RAISED_EXCEPTION",
    "VARIANT_DUPLICATE_KEY", "VARIANT_SIZE_LIMIT",
)  # fmt: skip
"""Error classes that a value of a row causes under ANSI.

https://spark.apache.org/docs/latest/sql-error-conditions.html
"""

_NOT_THERE: Final = (
    "FILE_NOT_EXIST",
    "FileNotFoundException",
    "PATH_NOT_FOUND",
    "DELTA_MISSING_CHANGE_DATA",
    "DELTA_VERSION_NOT_FOUND",
    "DELTA_CHANGE_DATA_FILE_NOT_FOUND",
    "DELTA_FILE_NOT_FOUND",
    "DELTA_TRUNCATED_TRANSACTION_LOG",
    "DELTA_LOG_FILE_NOT_FOUND",
    "VersionNotFoundException",
    "Cannot time travel",
)
"""Words of errors that say that a version is gone, in its files or in the log."""

_OTHER_COLUMNS: Final = (
    "DELTA_CHANGE_DATA_FEED_INCOMPATIBLE",
    "FAILED_READ_FILE.PARQUET_COLUMN_DATA_TYPE_MISMATCH",
)
"""What reading changes under the table's newest columns fails with, where those were others."""


def error_class(error: BaseException) -> str | None:
    """The class of Spark's error, such as CAST_INVALID_INPUT, also from within a failed job.

    Reads the error's text where the error itself does not tell, and gives only the class: the
    text quotes values.
    """
    if isinstance(error, PySparkException):
        condition = error.getCondition()
        if condition is not None and not condition.startswith(("FAILED_", "INTERNAL", "_")):
            return condition
    found: list[str] = [one for one in _CLASS.findall(str(error)) if not one.startswith("FAILED_")]
    return found[0] if found else None


def by_row(error: BaseException) -> str | None:
    """The class of an error that a row's value caused; None where something else failed."""
    found: list[str] = [
        name for name in _CLASS.findall(str(error)) if name.split(".")[0] in _BY_ROW
    ]
    if found:
        return found[0]
    name = error_class(error)
    return name if name is not None and name.split(".")[0] in _BY_ROW else None


def gone(error: BaseException) -> bool:
    """Whether a version of a table cannot be read any more, or not yet."""
    return any(words in str(error) for words in _NOT_THERE)


def reshaped(error: BaseException) -> bool:
    """Whether rows were written under columns that the table's own can no longer read."""
    return any(words in str(error) for words in _OTHER_COLUMNS)
