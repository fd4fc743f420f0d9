"""Why the pipeline's tables cannot be used."""

from pyspark.errors import PySparkException


class TablesError(Exception):
    """The tables cannot be used; the message has the command to run."""


def is_conflict(error: PySparkException) -> bool:
    """Whether Delta refused a commit because another one came between: it may be tried again."""
    return "CONCURRENT" in str(error).upper()
