"""Read a feed file's text; every refusal names file, field and reason."""

from collections.abc import Hashable
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline.core.feed_calls import TAG
from pipeline.core.feed_model import OPERATIONS, Feed, FeedError, Operation

__all__ = ["OPERATIONS", "Feed", "FeedError", "Operation", "parse_feed"]


MAX_CHARACTERS = 1_000_000
"""A feed file is pages long, not volumes."""


class _UniqueKeys(yaml.SafeLoader):
    """A key given twice is an error: YAML itself lets the last one win in silence.

    So is an alias: a few lines of them unfold to gigabytes.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """As the parent, but refuses an alias."""
        if self.check_event(yaml.events.AliasEvent):
            event: yaml.Event = self.get_event()  # type: ignore[no-untyped-call]
            line = event.start_mark.line + 1 if event.start_mark is not None else "?"
            raise ValueError(f"line {line}: an alias (*) is not read here, write it out")
        return super().compose_node(parent, index)

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002  the parent's signature
    ) -> dict[Hashable, Any]:
        """As the parent, but refuses a repeated key."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} is given twice", key_node.start_mark
                )
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)


def parse_feed(text: str, *, file: str) -> Feed:
    """A feed from YAML; without a name it is named as the file is.

    Raises:
        FeedError: it cannot be used; one line a problem, each with file, field and reason.
    """
    values = _read(text, file)
    if "file" in values:
        raise FeedError(f"{file}: file: is no field of a feed")
    try:
        return Feed.model_validate({"name": _stem(file), **values, "file": file})
    except ValidationError as error:
        as_insert = values.get("update", "insert") == "insert"
        problems = [e for e in error.errors() if not (as_insert and e["loc"][:1] == ("update",))]
        raise FeedError("\n".join(f"{file}: {_line(e, values)}" for e in problems)) from error


def _read(text: str, file: str) -> dict[str, Any]:
    if len(text) > MAX_CHARACTERS:
        raise FeedError(f"{file}: has {len(text):,} characters, at most {MAX_CHARACTERS:,}")
    try:
        values = yaml.load(text, _UniqueKeys)  # noqa: S506  a SafeLoader
    except RecursionError:
        raise FeedError(f"{file}: is nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise FeedError(f"{file}: line {line}: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise FeedError(f"{file}: is no YAML: {error}") from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise FeedError(f"{file}: a feed is a mapping of names to values; see docs/feeds.md")
    return values


def _stem(file: str) -> str:
    return file.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _line(error: ErrorDetails, values: dict[str, Any]) -> str:
    """Field and reason of one of pydantic's errors."""
    field = ""
    for part in error["loc"]:
        if isinstance(part, int):
            # A call that stands alone is no list in the file.
            field += f"[{part}]" if isinstance(values.get(field, []), list) else ""
        elif not part.startswith(TAG) and part != "[key]":
            field += f".{part}" if field else part
    match error["type"]:
        case "missing":
            reason = "is missing"
        case "extra_forbidden":
            reason = "is not known here; see docs/feeds.md for the fields"
        case "string_type":
            reason = "must be text: put it in quotes"
        case _:
            reason = error["msg"].removeprefix("Value error, ")
    return f"{field}: {reason}" if field else reason
