"""Every documented event by its name on the wire."""

from collections.abc import Mapping
from typing import Final

from pipeline.core.api.ab_testing import AB_TESTING
from pipeline.core.api.ecommerce import ECOMMERCE
from pipeline.core.api.email import EMAIL
from pipeline.core.api.events import Event
from pipeline.core.api.live_chat import LIVE_CHAT
from pipeline.core.api.mobile import MOBILE
from pipeline.core.api.reserved import RESERVED
from pipeline.core.api.video import VIDEO

VOCABULARIES: Final[tuple[type[Event], ...]] = (
    *RESERVED,
    *ECOMMERCE,
    *EMAIL,
    *MOBILE,
    *VIDEO,
    *LIVE_CHAT,
    *AB_TESTING,
)

EVENTS: Final[Mapping[str, type[Event]]] = {model.event_name(): model for model in VOCABULARIES}
"""The model of each documented event. A name that is not here is a custom event."""
