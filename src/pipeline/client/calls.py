"""The calls as methods: one each for the endpoints and for Customer.io's own events.

What they give back depends on who implements them: a message id, or the promise of one.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, Literal, TypedDict, TypeVar, Unpack

from pydantic.alias_generators import to_camel

from pipeline.client.message import fields_of
from pipeline.core.api.calls import Alias, CallBase, Group, Identify, Page, Screen, Track
from pipeline.core.api.context import Context
from pipeline.core.api.events import Event

Given = TypeVar("Given")
Values = Mapping[str, Any]
"""A JSON object: text, numbers, booleans, null, lists and objects."""


class Common(TypedDict, total=False):
    """What every call takes beside its own; without a message id or a timestamp it gets one."""

    anonymous_id: str
    message_id: str
    timestamp: datetime | str
    context: Context | Values
    integrations: Mapping[str, bool]


class Calls(ABC, Generic[Given]):
    """Every call of the API. Each is judged by its model at once: what is wrong raises."""

    @abstractmethod
    def _put(self, model: type[CallBase], fields: dict[str, Any]) -> Given:
        """Take a call; its fields are by the API's names."""

    def send(self, call: CallBase) -> Given:
        """Any call as its model, such as `OrderCompleted(user_id=..., properties=...)`.

        Raises:
            TypeError: it is no model; `batch` takes calls in the API's own words.
        """
        if not isinstance(call, CallBase):
            raise TypeError(
                f"a call's model is expected, not {type(call).__name__}; batch([...]) takes calls"
                " in the API's own words"
            )
        return self._put(type(call), fields_of(call))

    def identify(
        self, user_id: str | None, traits: Values | None = None, **common: Unpack[Common]
    ) -> Given:
        """Say who somebody is, and set attributes; a null removes one."""
        return self._put(Identify, given(common, user_id=user_id, traits=traits))

    def track(
        self,
        user_id: str | None,
        event: str | type[Event],
        properties: Values | None = None,
        *,
        group_id: str | None = None,
        **common: Unpack[Common],
    ) -> Given:
        """Something happened: an event by its name, or by its model where it is documented."""
        model, name = (Track, event) if isinstance(event, str) else (event, event.event_name())
        fields = given(common, user_id=user_id, properties=properties, group_id=group_id)
        return self._put(model, {**fields, "event": name})

    def page(
        self,
        user_id: str | None,
        name: str | None = None,
        properties: Values | None = None,
        **common: Unpack[Common],
    ) -> Given:
        """Somebody looked at a page."""
        return self._put(Page, given(common, user_id=user_id, name=name, properties=properties))

    def screen(
        self,
        user_id: str | None,
        name: str | None = None,
        properties: Values | None = None,
        **common: Unpack[Common],
    ) -> Given:
        """Somebody looked at a screen of an app."""
        return self._put(Screen, given(common, user_id=user_id, name=name, properties=properties))

    def group(
        self,
        user_id: str | None,
        group_id: str,
        traits: Values | None = None,
        **common: Unpack[Common],
    ) -> Given:
        """Set attributes of a group (an object), and put a person into it where one is named."""
        return self._put(Group, given(common, user_id=user_id, group_id=group_id, traits=traits))

    def alias(self, previous_id: str, user_id: str, **common: Unpack[Common]) -> Given:
        """Merge what is known of *previous_id* into *user_id*; goes alone, in its order."""
        return self._put(Alias, given(common, user_id=user_id, previous_id=previous_id))


DeviceType = Literal["ios", "android"]


def given(common: Common, **fields: object) -> dict[str, Any]:
    """The fields that were given, by the API's names: nothing is sent for those that were not."""
    return {
        to_camel(name): value for name, value in {**common, **fields}.items() if value is not None
    }
