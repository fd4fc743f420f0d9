"""The context of a call: what was known of its surroundings, with all its parts.

Web and mobile sources fill different parts; both kinds of context are open objects, so one model
has the parts of both. https://docs.customer.io/integrations/data-in/source-spec/common-fields/
"""

from typing import Literal

from pydantic import ConfigDict

from pipeline.core.api.common import Boolean, Open


class Campaign(Open):
    """The campaign that led to the call, from UTM parameters; further ones are texts."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]

    name: str | None = None
    source: str | None = None
    medium: str | None = None
    term: str | None = None
    content: str | None = None


class CurrentPage(Open):
    """The page in the browser."""

    name: str | None = None
    path: str | None = None
    referrer: str | None = None
    search: str | None = None
    title: str | None = None
    url: str | None = None
    keywords: tuple[str, ...] | None = None


class App(Open):
    """The mobile app."""

    name: str | None = None
    version: str | None = None
    build: str | None = None
    namespace: str | None = None


class Device(Open):
    """The device."""

    id: str | None = None
    advertising_id: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    name: str | None = None
    type: Literal["android", "ios"] | None = None
    version: str | None = None


class Network(Open):
    """The network connection."""

    bluetooth: Boolean | None = None
    carrier: str | None = None
    cellular: Boolean | None = None
    wifi: Boolean | None = None


class OperatingSystem(Open):
    """The operating system."""

    name: str | None = None
    version: str | None = None


class Context(Open):
    """What was known of a call's surroundings."""

    active: Boolean | None = None
    ip: str | None = None
    locale: str | None = None
    user_agent: str | None = None
    channel: Literal["browser", "server", "mobile"] | None = None
    campaign: Campaign | None = None
    page: CurrentPage | None = None
    app: App | None = None
    device: Device | None = None
    network: Network | None = None
    os: OperatingSystem | None = None
