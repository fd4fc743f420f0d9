"""Judge calls that rows hold whole, as a column: one Python function a row, for outbox feeds only.

Such a feed's calls have no shape that is known when the stream starts, so the API's models must
look at each. That costs some microseconds a call; feeds that map columns do not pay it.
"""

from dataclasses import astuple
from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

from pipeline.core.feed_model import PersonEntity
from pipeline.core.whole import Judged, WholePolicy, judge
from pipeline.source.body import WITH_NULLS
from pipeline.source.checked import CheckedFeed

JUDGED: Final = "body string, call_type string, event string, envelope string, problem string"
"""The fields of `Judged`, in their order."""


def judged(text: Column, person: Column, moment: Column, checked: CheckedFeed) -> Column:
    """A struct of `JUDGED` for each call; null where *text* is not to be looked at."""
    feed = checked.feed
    policy = WholePolicy(limits=checked.limits, envelope=feed.constants)

    def one(call: str | None, who: str | None, at: str | None) -> tuple[str | None, ...]:
        found: Judged = judge(call, who, at, policy)
        return astuple(found)

    who = person if isinstance(feed.entity, PersonEntity) else F.lit(None).cast("string")
    at = F.get_json_object(F.to_json(F.struct(moment.alias("at")), WITH_NULLS), "$.at")
    return F.udf(one, JUDGED, useArrow=True)(text, who, at)
