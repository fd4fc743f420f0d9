"""Events in the life of a mobile app. https://docs.customer.io/integrations/api/cdp/mobile-app/."""

from typing import ClassVar, Final, Literal

from pipeline.core.api.common import API, Boolean, FreeObject, Named
from pipeline.core.api.events import Event


class Release(Named):
    """A release of the app."""

    version: str | None = None
    build: str | None = None


class Update(Release):
    """A release of the app, and the one before it."""

    previous_version: str | None = None
    previous_build: str | None = None


class Opening(Release):
    """A release of the app, and how it was opened."""

    from_background: Boolean | None = None
    url: str | None = None
    """Where the app was opened from; iOS only."""


class MobileEvent(Event):
    """Something happened to a mobile app. Most have no properties but one's own."""

    vocabulary: ClassVar[str] = "Mobile app"
    page: ClassVar[str] = f"{API}mobile-app/"


class ApplicationInstalled(MobileEvent):
    """It was opened for the first time."""

    event: Literal["Application Installed"] = "Application Installed"
    properties: Release | None = None


class ApplicationOpened(MobileEvent):
    """It was opened."""

    event: Literal["Application Opened"] = "Application Opened"
    properties: Opening | None = None


class ApplicationBackgrounded(MobileEvent):
    """It went to the background."""

    event: Literal["Application Backgrounded"] = "Application Backgrounded"
    properties: FreeObject | None = None


class ApplicationForegrounded(MobileEvent):
    """It came back from the background."""

    event: Literal["Application Foregrounded"] = "Application Foregrounded"
    properties: FreeObject | None = None


class ApplicationUpdated(MobileEvent):
    """It was opened in a new release."""

    event: Literal["Application Updated"] = "Application Updated"
    properties: Update | None = None


class ApplicationUninstalled(MobileEvent):
    """It was removed."""

    event: Literal["Application Uninstalled"] = "Application Uninstalled"
    properties: FreeObject | None = None


class ApplicationCrashed(MobileEvent):
    """It crashed."""

    event: Literal["Application Crashed"] = "Application Crashed"
    properties: FreeObject | None = None


MOBILE: Final[tuple[type[Event], ...]] = (
    ApplicationInstalled,
    ApplicationOpened,
    ApplicationBackgrounded,
    ApplicationForegrounded,
    ApplicationUpdated,
    ApplicationUninstalled,
    ApplicationCrashed,
)
