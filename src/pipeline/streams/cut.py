"""Cut a micro-batch into slices by entity: memory stays bounded whatever a commit's size."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from pipeline.source.checked import CheckedFeed
from pipeline.source.draft import BUCKET, drafted, drafts, staged
from pipeline.source.isolate import split

Cut = Callable[[int], DataFrame]
"""The drafts of one slice, by its number; planned anew at each call, evaluated by the sender."""
KEPT: Final = StorageLevel.MEMORY_AND_DISK_DESER
"""How rows are kept that several slices are cut of: what PySpark calls `MEMORY_AND_DISK` would also
turn them into bytes as it keeps them, and back for each slice, which takes half as long again."""


@contextmanager
def cut(
    netted: DataFrame,
    checked: CheckedFeed,
    *,
    slices: int,
    tasks: int,
    one_version: bool,
    keep: bool,
) -> Iterator[Cut]:
    """Slices of net changes; rows that cannot be mapped are found once, for all of them.

    With *keep*, source rows are staged in memory or on disk while several slices read them: only
    source rows, since what sends must be evaluated once, and never from a cache.
    """
    keep = keep and slices > 1
    with _kept(netted, needed=keep and checked.fallible):
        isolated = split(netted, checked) if checked.fallible else None
        if not keep:

            def planned(number: int) -> DataFrame:
                bucket = (number, slices) if slices > 1 else None
                return drafts(
                    netted,
                    checked,
                    partitions=tasks,
                    bucket=bucket,
                    isolated=isolated,
                    one_version=one_version,
                    in_parts=True,
                )

            yield planned
            return
        stage = staged(netted, checked, isolated, parts=slices, tasks=tasks)
        with _kept(stage, needed=True):
            one_of = partial(
                drafted, checked=checked, partitions=tasks, one_version=one_version, in_parts=True
            )
            yield lambda number: one_of(stage.where(F.col(BUCKET) == number))


@contextmanager
def _kept(rows: DataFrame, *, needed: bool) -> Iterator[None]:
    if needed:
        rows.persist(KEPT)
    try:
        yield
    finally:
        if needed:
            rows.unpersist()
