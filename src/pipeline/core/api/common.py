"""What all models share: names on the wire, ids, timestamps, and how a refusal is collected."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StrictBool,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import InitErrorDetails, core_schema

from pipeline.core.api.limits import DEFAULT_LIMITS, Limits
from pipeline.core.api.values import TooDeepError

API: Final = "https://docs.customer.io/integrations/api/cdp/"
"""The reference of the Data Pipelines API; each vocabulary has a page below it."""
COMMON_FIELDS: Final = "https://docs.customer.io/integrations/data-in/source-spec/common-fields/"

ISO_8601: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})$"
)
"""The profile of RFC 3339, which OpenAPI calls `date-time`: date, time and zone, all of them."""


@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    """A type of JSON where pydantic's own would take more, such as a text of digits as number."""

    schema: core_schema.CoreSchema
    error: str
    reason: str
    described: Mapping[str, str]

    def __get_pydantic_core_schema__(
        self, source: type, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.custom_error_schema(
            self.schema, custom_error_type=self.error, custom_error_message=self.reason
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return dict(self.described)


_WHOLE = core_schema.int_schema(strict=True)
_AWARE = core_schema.datetime_schema(tz_constraint="aware")
_TIMESTAMP = core_schema.chain_schema([core_schema.str_schema(pattern=ISO_8601), _AWARE])

Timestamp = Annotated[
    datetime,
    _Kind(
        core_schema.json_or_python_schema(
            _TIMESTAMP,
            core_schema.union_schema(
                [core_schema.datetime_schema(strict=True, tz_constraint="aware"), _TIMESTAMP]
            ),
        ),
        "timestamp",
        "must be an ISO 8601 timestamp with a zone, such as 2026-01-31T08:30:00.000Z",
        {"type": "string", "format": "date-time"},
    ),
]
"""In JSON a text in ISO 8601 with a zone; in Python that or an aware `datetime`."""
Id = Annotated[
    str,
    _Kind(
        core_schema.str_schema(pattern=r"\S"),
        "blank",
        "must be a text that is neither empty nor blank",
        {"type": "string"},
    ),
]
"""Names a person, a group, an object, a device, an event or a call."""
Number = Annotated[
    float,
    _Kind(
        core_schema.union_schema(
            [_WHOLE, core_schema.float_schema(strict=True, allow_inf_nan=False)]
        ),
        "number",
        "must be a finite number",
        {"type": "number"},
    ),
]
"""A number of JSON, whole or not, and left as it came."""
Integer = Annotated[
    int,
    _Kind(
        core_schema.union_schema(
            [
                _WHOLE,
                core_schema.chain_schema(
                    [
                        core_schema.float_schema(strict=True, allow_inf_nan=False, multiple_of=1),
                        core_schema.int_schema(),
                    ]
                ),
            ]
        ),
        "integer",
        "must be a whole number",
        {"type": "integer"},
    ),
]
"""A whole number; JSON Schema calls 2.0 one, too."""
Boolean = StrictBool
Preference = Annotated[
    bool | Literal[""],
    _Kind(
        core_schema.union_schema(
            [core_schema.bool_schema(strict=True), core_schema.literal_schema([""])]
        ),
        "preference",
        "must be true, false, null or empty",
        {"type": "boolean"},
    ),
]
"""Subscribed or not; an empty value goes back to the preference's default."""


class ApiModel(BaseModel):
    """A value of the API: frozen, its own names in Python, the API's in JSON.

    JSON is read by the API's names only. In Python both work.
    """

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        serialize_by_alias=True,
        allow_inf_nan=False,
    )

    @classmethod
    def model_validate_json(
        cls, json_data: str | bytes | bytearray, *, by_name: bool | None = False, **options: Any
    ) -> Self:
        """Read JSON by the API's names; options as in pydantic, `context` takes a `Limits`."""
        return super().model_validate_json(json_data, by_name=by_name, **options)


class Open(ApiModel):
    """An object that takes more names than the API documents, with any JSON as value."""

    model_config = ConfigDict(extra="allow")

    _homonyms: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        cls._homonyms = frozenset(
            name for name, field in cls.model_fields.items() if (field.alias or name) != name
        )

    @model_validator(mode="after")
    def _forget_homonyms(self) -> Self:
        # A free name may be a field's name in Python: `user_agent` beside `userAgent`. pydantic
        # then takes the field for set, and would send a null that nobody asked for. A null
        # that was asked for beside such a name is lost; traits, where it matters, have no aliases.
        extra = self.__pydantic_extra__
        if extra and not self._homonyms.isdisjoint(extra):
            for name in self._homonyms & extra.keys():
                if self.__dict__[name] is None:
                    self.model_fields_set.discard(name)
        return self


class Named(Open):
    """An open object whose documented names are the same in Python and in JSON."""

    model_config = ConfigDict(alias_generator=None, validate_by_name=False)


class Closed(ApiModel):
    """An object that takes its documented names and no other, and collects its own refusals.

    A `Limits` can be given as pydantic's validation context; the default is `DEFAULT_LIMITS`.
    """

    model_config = ConfigDict(extra="forbid")

    page: ClassVar[str] = API
    """Where the documentation describes this."""
    method: ClassVar[str] = ""
    """The client's method that sends this."""

    @model_validator(mode="after")
    def _refuse(self, info: ValidationInfo) -> Self:
        context = info.context
        limits = context if isinstance(context, Limits) else DEFAULT_LIMITS
        parsed = info.mode == "json"
        if parsed and self.plainly_fine(limits):
            return self
        found: list[InitErrorDetails] = []
        try:
            self.collect_refusals(limits, found, parsed=parsed)
        except TooDeepError as deep:
            found.append(deep.refused)
        if found:
            raise ValidationError.from_exception_data(type(self).__name__, found)
        return self

    def plainly_fine(self, limits: Limits) -> bool:  # noqa: ARG002  for those who know better
        """Whether `collect_refusals` would surely find nothing: a shortcut for the common case."""
        return False

    def collect_refusals(
        self, limits: Limits, found: list[InitErrorDetails], *, parsed: bool
    ) -> None:
        """Append to *found* what types alone can't refuse; *parsed* from JSON text or not."""


FreeObject = dict[str, Any]
"""Any JSON object; what is in it is looked at by `collect_refusals`."""
