"""What documented events share: a track call with a fixed name and known properties.

The API takes any event. These names mean something to it or to the destinations behind it, and
each has a model. All properties are open: more of one's own are welcome beside the documented.
"""

from typing import ClassVar

from pydantic import BaseModel
from pydantic_core import InitErrorDetails

from pipeline.core.api.calls import TrackBase
from pipeline.core.api.common import FreeObject
from pipeline.core.api.limits import Limits
from pipeline.core.api.values import parts, refuse_values


class Event(TrackBase):
    """A track call whose event the API documents."""

    always: ClassVar[tuple[str, ...]] = ("type", "event")
    vocabulary: ClassVar[str] = ""
    """The group of events that it belongs to, as the documentation names it."""

    properties: BaseModel | FreeObject | None = None

    def collect_refusals(
        self, limits: Limits, found: list[InitErrorDetails], *, parsed: bool
    ) -> None:
        """Properties within JSON."""
        super().collect_refusals(limits, found, parsed=parsed)
        match self.properties:
            case None:
                pass
            case BaseModel() as properties:
                refuse_values(parts(properties), ("properties",), found, parsed=parsed)
            case properties:
                refuse_values(properties, ("properties",), found, parsed=parsed)

    @classmethod
    def event_name(cls) -> str:
        """The name on the wire."""
        return str(cls.model_fields["event"].default)
