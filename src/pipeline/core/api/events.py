"""What documented events share: a track call with a fixed name and known properties.

The API takes any event. These names mean something to it or to the destinations behind it, and
each has a model. All properties are open: more of one's own are welcome beside the documented.
"""

from typing import ClassVar

from pipeline.core.api.calls import TrackBase


class Event(TrackBase):
    """A track call whose event the API documents."""

    always: ClassVar[tuple[str, ...]] = ("type", "event")
    vocabulary: ClassVar[str] = ""
    """The group of events that it belongs to, as the documentation names it."""

    @classmethod
    def event_name(cls) -> str:
        """The name on the wire."""
        return str(cls.model_fields["event"].default)
