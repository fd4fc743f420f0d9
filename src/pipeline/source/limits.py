"""What a feed alone can break of the API's limits, whatever the rows hold."""

from collections.abc import Iterator

from pipeline.core.api.limits import Limits
from pipeline.core.feed import OPERATIONS, Feed
from pipeline.core.feed_calls import Group, Identify, Track, content


def over_limits(feed: Feed, limits: Limits) -> Iterator[str]:
    """Names that are too long, and more attributes than a person or an object may have."""
    for operation in OPERATIONS:
        calls = feed.calls(operation)
        if operation == "update" and calls == feed.insert:
            continue
        for number, call in enumerate(calls):
            place = operation if len(calls) == 1 else f"{operation}[{number}]"
            if isinstance(call, Track) and call.event is not None:
                size = len(call.event.encode())
                if size > limits.event_name_bytes:
                    yield f"{place}.event: {size} bytes, at most {limits.event_name_bytes}"
            if not isinstance(call, Identify | Group):
                continue
            names = content(call)
            if len(names) > limits.attributes:
                yield f"{place}.traits: {len(names)} attributes, at most {limits.attributes}"
            for name in names:
                size = len(name.encode())
                if size > limits.attribute_name_bytes:
                    yield (
                        f"{place}.traits.{name[:40]}: a name of {size} bytes, "
                        f"at most {limits.attribute_name_bytes}"
                    )
