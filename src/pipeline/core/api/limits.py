"""The limits that Customer.io publishes, one setting each.

Two of them are about bytes on the wire, and the API answers 200 and drops what is over them. The
others come from the older API into the same workspace and are checked before sending, since the
newer one does not say what it does with what is over them.
"""

from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a call may measure. Bytes are UTF-8 and decimal: 32 KB is 32,000.

    Raises:
        ValueError: a limit is not a positive whole number, or a batch holds less than a call.
    """

    call_bytes: int = 32_000
    """One call as JSON. https://docs.customer.io/integrations/api/cdp/"""
    batch_bytes: int = 500_000
    """One request to `/v1/batch`. https://docs.customer.io/integrations/api/cdp/"""
    id_bytes: int = 150
    """An id of a person, a group or an object. https://docs.customer.io/integrations/api/track/"""
    event_name_bytes: int = 100
    """The name of an event. https://docs.customer.io/integrations/api/track/"""
    attributes: int = 300
    """Traits of one person or group. https://docs.customer.io/integrations/api/track/"""
    attribute_name_bytes: int = 150
    """The name of a trait. https://docs.customer.io/integrations/api/track/"""
    attribute_value_bytes: int = 1_000
    """A trait's value: a text itself, or the JSON of an object or a list.

    Properties of an event are no attributes: an order's products may be longer.
    https://docs.customer.io/integrations/api/track/
    """

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not int or value < 1:
                raise ValueError(f"limit {field.name} must be a positive whole number, not {value}")
        if self.batch_bytes < self.call_bytes:
            raise ValueError(
                f"limit batch_bytes ({self.batch_bytes}) is less than call_bytes"
                f" ({self.call_bytes}): no batch could hold one call; raise it"
            )


DEFAULT_LIMITS: Final = Limits()
"""What is published; where two publications differ, the lower."""
