"""Every documented event by its name on the wire."""

from collections.abc import Mapping
from typing import Final

from pipeline.core.api.events import Event
from pipeline.core.api.reserved import RESERVED

ALL: Final[tuple[type[Event], ...]] = (*RESERVED,)

EVENTS: Final[Mapping[str, type[Event]]] = {model.event_name(): model for model in ALL}
"""The model of each documented event. A name that is not here is a custom event."""
