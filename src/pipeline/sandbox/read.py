"""Find the calls in a request's body, without making more Python objects than needed. Pure."""

import zlib
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

ENDPOINTS: Final = ("identify", "track", "page", "screen", "group", "alias", "batch")


class AnyObject(msgspec.Struct, gc=False):
    """Any JSON object: msgspec checks that it is one, and skips what is in it."""


class Call(msgspec.Struct, gc=False):
    """A call's fields that the sandbox looks at, in types the API requires."""

    type: str | None = None
    messageId: str | None = None  # noqa: N815 - the API's own names
    userId: str | None = None  # noqa: N815
    anonymousId: str | None = None  # noqa: N815
    groupId: str | None = None  # noqa: N815
    previousId: str | None = None  # noqa: N815
    event: str | None = None
    name: str | None = None
    timestamp: str | None = None
    sentAt: str | None = None  # noqa: N815
    originalTimestamp: str | None = None  # noqa: N815
    traits: AnyObject | None = None
    properties: AnyObject | None = None
    context: AnyObject | None = None
    integrations: AnyObject | None = None


class Item(NamedTuple):
    """One call of a request and where in its body it stands."""

    call: Call | None
    """Nothing where a field has a wrong type."""
    offset: int
    size: int


class _Batch(msgspec.Struct):
    batch: list[msgspec.Raw]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a body says."""

    endpoint: str
    body: bytes
    items: tuple[Item, ...] = ()
    error: str | None = None
    """Why it says nothing: it is no JSON, or no batch."""

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls whose fields have the right types."""
        return tuple(item.call for item in self.items if item.call is not None)

    def raw(self, item: Item) -> bytes:
        """The bytes of one call."""
        return self.body[item.offset : item.offset + item.size]


_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_call = msgspec.json.Decoder(Call).decode
_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode


def read(endpoint: str, body: bytes, *, encoding: str = "", most: int = 0) -> Reading:
    """The calls of a request to `/v1/<endpoint>`.

    Args:
        endpoint: One of `ENDPOINTS`.
        body: The bytes that came.
        encoding: `gzip` when they are compressed.
        most: Bytes that a compressed body may become; 0 sets no bound.
    """
    if encoding == "gzip":
        try:
            body = _inflate(body, most)
        except (zlib.error, EOFError) as error:
            return Reading(endpoint=endpoint, body=body, error=f"malformed gzip: {error}")
    items: tuple[Item, ...]
    try:
        if not body.isascii():
            body.decode()
        if endpoint != "batch":
            _decode_raw(body)
            items = (Item(_call(body), 0, len(body)),)
        else:
            items = _items(body, _decode_batch(body).batch)
    except msgspec.ValidationError as error:
        return Reading(endpoint=endpoint, body=body, error=f"body is no batch: {error}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Reading(endpoint=endpoint, body=body, error=f"malformed JSON: {error}")
    return Reading(endpoint=endpoint, body=body, items=items)


def _inflate(body: bytes, most: int) -> bytes:
    # 16 makes zlib expect the gzip header.
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    inflated = inflater.decompress(body, most)
    if not inflater.eof:
        raise EOFError("it ends too early, or is too large")
    return inflated


def _items(body: bytes, raws: list[msgspec.Raw]) -> tuple[Item, ...]:
    items: list[Item] = []
    end = 0
    for raw in raws:
        text = bytes(raw)
        # Only commas and white space stand between two calls, so the first find is the call.
        offset = body.find(text, end)
        end = offset + len(text)
        items.append(Item(_call(text), offset, len(text)))
    return tuple(items)


def _call(raw: bytes) -> Call | None:
    try:
        return _decode_call(raw)
    except msgspec.DecodeError:
        return None
