"""Events of a live chat. https://docs.customer.io/integrations/api/cdp/live-chat/."""

from typing import ClassVar, Final, Literal

from pipeline.core.api.common import API, Integer, Named
from pipeline.core.api.events import Event


class Conversation(Named):
    """A conversation with an agent, as of one message."""

    agent_id: str | None = None
    agent_name: str | None = None
    agent_username: str | None = None
    conversation_id: str | None = None
    conversation_duration: Integer | None = None
    """In seconds; 0 when the conversation starts."""
    message_id: str | None = None


class LiveChatEvent(Event):
    """An event of a conversation; all four have the same properties."""

    vocabulary: ClassVar[str] = "Live chat"
    page: ClassVar[str] = f"{API}live-chat/"

    properties: Conversation | None = None


class LiveChatConversationStarted(LiveChatEvent):
    """Somebody began a conversation."""

    event: Literal["Live Chat Conversation Started"] = "Live Chat Conversation Started"


class LiveChatConversationEnded(LiveChatEvent):
    """Either side ended the conversation."""

    event: Literal["Live Chat Conversation Ended"] = "Live Chat Conversation Ended"


class LiveChatMessageSent(LiveChatEvent):
    """An agent sent a message."""

    event: Literal["Live Chat Message Sent"] = "Live Chat Message Sent"


class LiveChatMessageReceived(LiveChatEvent):
    """An agent received a message."""

    event: Literal["Live Chat Message Received"] = "Live Chat Message Received"


LIVE_CHAT: Final[tuple[type[Event], ...]] = (
    LiveChatConversationStarted,
    LiveChatConversationEnded,
    LiveChatMessageSent,
    LiveChatMessageReceived,
)
