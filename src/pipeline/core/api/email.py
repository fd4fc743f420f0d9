"""Events of e-mails that others than Customer.io sent.

https://docs.customer.io/integrations/api/cdp/email/
"""

from typing import ClassVar, Final, Literal

from pipeline.core.api.common import API, Id, Named
from pipeline.core.api.context import Context
from pipeline.core.api.events import Event


class Email(Named):
    """The e-mail that the event is about."""

    email_id: Id
    email_subject: str | None = None
    campaign_id: str | None = None
    campaign_name: str | None = None


class EmailLink(Email):
    """An e-mail, and the link in it."""

    link_id: str | None = None
    link_url: str | None = None


class EmailList(Email):
    """An e-mail, and the list that it was sent to."""

    list_id: str | None = None
    list_name: str | None = None


class Recipient(Named):
    """To whom the e-mail went."""

    email: str | None = None


class Reader(Recipient):
    """To whom it went, and what they read it with."""

    ip: str | None = None
    user_agent: str | None = None


class RecipientContext(Context):
    """A context that names the recipient."""

    traits: Recipient | None = None


class ReaderContext(RecipientContext):
    """A context that names the recipient and what they read with."""

    traits: Reader | None = None


class EmailEvent(Event):
    """Something happened to an e-mail."""

    vocabulary: ClassVar[str] = "Email"
    page: ClassVar[str] = f"{API}email/"

    properties: Email
    context: RecipientContext | None = None


class EmailReadEvent(EmailEvent):
    """Somebody did something with an e-mail."""

    context: ReaderContext | None = None


class EmailBounced(EmailEvent):
    """It could not be delivered."""

    event: Literal["Email Bounced"] = "Email Bounced"


class EmailDelivered(EmailEvent):
    """It was delivered."""

    event: Literal["Email Delivered"] = "Email Delivered"


class EmailOpened(EmailReadEvent):
    """The recipient opened it."""

    event: Literal["Email Opened"] = "Email Opened"


class EmailLinkClicked(EmailReadEvent):
    """The recipient followed a link in it."""

    event: Literal["Email Link Clicked"] = "Email Link Clicked"
    properties: EmailLink


class EmailMarkedAsSpam(EmailReadEvent):
    """The recipient called it spam."""

    event: Literal["Email Marked as Spam"] = "Email Marked as Spam"


class EmailUnsubscribed(EmailReadEvent):
    """The recipient wants no more of the list."""

    event: Literal["Email Unsubscribed"] = "Email Unsubscribed"
    properties: EmailList


EMAIL: Final[tuple[type[Event], ...]] = (
    EmailBounced,
    EmailDelivered,
    EmailOpened,
    EmailLinkClicked,
    EmailMarkedAsSpam,
    EmailUnsubscribed,
)
