"""One call of a feed as columns, step by step, so that nothing is evaluated that is not sent."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

from pipeline.core.draft import ENVELOPE, NO_CONSENT
from pipeline.core.feed import OPERATIONS, Feed, Operation
from pipeline.core.feed_calls import (
    AnyCall,
    Group,
    Identify,
    Track,
    Value,
    Whole,
    content,
    content_name,
    device_parts,
)
from pipeline.core.feed_model import ObjectEntity, PersonEntity
from pipeline.source.body import (
    WITHOUT_NULLS,
    body,
    content_json,
    group_traits,
    joined_members,
    member_json,
    value_column,
    whole_body,
)
from pipeline.source.checked import CheckedFeed
from pipeline.source.probe import probe_rules, untold_events
from pipeline.source.rules import (
    Rule,
    device_rules,
    either_rule,
    event_rules,
    id_rules,
    problem,
    time_rule,
    value_rules,
)
from pipeline.source.view import OPERATION, PREFIX
from pipeline.source.whole import judged

ID: Final = f"{PREFIX}id"
PASSED: Final = f"{PREFIX}passed"
"""Whether the filter lets a change through."""
CONSENTED: Final = f"{PREFIX}consented"
"""Whether its entity consents to a change being sent; a delete needs no consent."""
BAD: Final = f"{PREFIX}bad"
"""Why a row cannot be mapped; null for all others."""
ROW_JSON: Final = f"{PREFIX}row_json"
TIME: Final = f"{PREFIX}time"

Columns = dict[str, Column]

_EXPRESSIONS: Final = {
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "group_id": "groupId",
    "previous_id": "previousId",
    "name": "name",
    "event_expression": "event",
}
"""Fields of a call that are expressions, and what the API calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """One call that some operations become."""

    checked: CheckedFeed
    operations: tuple[Operation, ...]
    number: int
    call: AnyCall | None
    """None: the operations become nothing, and a message says so."""
    compared: bool
    """Sent only where its content differs from what the image before gives."""
    assembled: bool = False
    """Tasks make its JSON of its values (`source.parts`); here it has none."""

    @property
    def partial(self) -> bool:
        """Only the traits that differ are sent: an event's properties belong together."""
        return self.compared and isinstance(self.call, Identify | Group)

    @property
    def mapping(self) -> Mapping[str, Value]:
        """Traits or properties as the feed maps them."""
        return {} if self.call is None else content(self.call)

    def name(self, what: str) -> str:
        """A column of this call's own."""
        return f"{PREFIX}{self.operations[0]}_{self.number}_{what}"

    def applies(self) -> Column:
        """Whether a change becomes this call."""
        if len(self.operations) == len(OPERATIONS):
            return F.lit(True)
        return F.expr(f"{OPERATION} IN ({', '.join(map(repr, self.operations))})")

    def guarded(self, column: Column) -> Column:
        """*column* where the call is sent, null elsewhere and not evaluated."""
        return F.when(F.col(self.name("skip")).isNull(), column)

    def decide(self) -> Columns:
        """Why the call is not sent, before anything of it is evaluated."""
        if self.call is None:
            return {self.name("skip"): F.lit("nothing")}
        skip = (
            F.when(~self.applies(), "other")
            .when(F.col(BAD).isNotNull(), "map")
            .when(~F.col(PASSED), "filtered")
        )
        if self.checked.feed.consent is not None:
            skip = skip.when(~F.col(CONSENTED), NO_CONSENT)
        if self.call.when is not None:
            skip = skip.when(~F.coalesce(F.expr(self.call.when), F.lit(False)), "condition")
        return {self.name("skip"): skip}

    def before(self) -> Columns:
        """Each mapped value as the image before gives it."""
        return self._members("before") if self.compared else {}

    def evaluate(self) -> Columns:
        """Ids, event, and the content as JSON; or each trait, where they are compared."""
        if self.call is None:
            return {}
        columns: Columns = {}
        for field, api_name in _EXPRESSIONS.items():
            if (text := getattr(self.call, field, None)) is not None:
                columns[self.name(api_name)] = self.guarded(F.expr(text).cast("string"))
        if self.compared:
            columns |= self._members("after")
        if isinstance(self.call, Whole):
            text = self.guarded(F.expr(self.call.call).cast("string"))
            call = judged(text, F.col(ID), F.col(TIME), self.checked)
            columns[self.name("whole")] = call
        return columns

    def finish(self) -> Columns:
        """The content that is sent, and what is wrong with the call."""
        if self.call is None:
            return {}
        columns: Columns = {}
        if isinstance(self.call, Whole):
            columns[self.name("text")] = self._of_whole("body")
        differs = {name: self._differs(i) for i, name in enumerate(self.mapping)}
        if self.compared:
            changed = F.lit(False)
            for one in differs.values():
                changed |= one
            columns[self.name("changed")] = changed
        text = None if self.assembled else self._built(differs)
        if text is not None:
            columns[self.name("text")] = self.guarded(text)
        found = problem(list(self._rules()), differs if self.partial else None)
        if isinstance(self.call, Whole):
            found = F.coalesce(found, self._of_whole("problem"))
        columns[self.name("problem")] = self.guarded(found)
        return columns

    def output(self) -> Columns:
        """The draft's columns that are this call's own."""
        skip = F.col(self.name("skip"))
        nothing = F.lit(None).cast("string")
        out = {"call_number": F.lit(self.number), "call_type": nothing, "event": nothing}
        if self.call is None:
            out |= {"body": nothing, "kind": F.lit("skipped"), "stage": nothing}
            return {**out, "reason": skip, "detail": nothing, **self._envelope()}
        sent = skip.isNull()
        reason = skip
        if self.compared:
            sent &= F.col(self.name("changed"))
            reason = F.coalesce(skip, F.when(~F.col(self.name("changed")), "unchanged"))
        wrong = F.when(sent, F.col(self.name("problem")))
        is_bad = skip.eqNullSafe("map")
        out["call_type"] = F.lit(self.call.type)
        if isinstance(self.call, Track):
            out["event"] = self._event()
        if isinstance(self.call, Whole):
            out["call_type"], out["event"] = self._of_whole("call_type"), self._of_whole("event")
        row = F.concat(F.lit('{"row":'), F.col(ROW_JSON), F.lit("},"))
        body = F.when(is_bad, row)
        out["body"] = body if self.assembled else F.when(sent, self._body()).when(is_bad, row)
        out["kind"] = F.when(is_bad | wrong.isNotNull(), "dead").when(reason.isNotNull(), "skipped")
        out["stage"] = F.when(is_bad, "map").when(wrong.isNotNull(), "validate")
        first_word = F.substring_index(wrong, " ", 1)
        out["reason"] = F.when(is_bad, F.col(BAD)).otherwise(F.coalesce(reason, first_word))
        out["detail"] = F.substring(wrong, F.length(first_word) + 2, F.length(wrong))
        return out | self._envelope()

    def _envelope(self) -> Columns:
        """The call's own context and integrations, in feeds that have such calls."""
        if not self.checked.feed.has_envelopes:
            return {}
        if isinstance(self.call, Whole):
            return {ENVELOPE.name: self._of_whole("envelope")}
        parts = device_parts(self.call) if self.call is not None else {}
        if not parts:
            return {ENVELOPE.name: F.lit(None).cast("string")}
        device = F.struct(*(F.expr(t).cast("string").alias(n) for n, t in parts.items()))
        own = F.struct(F.struct(device.alias("device")).alias("context"))
        constant = dict(self.checked.feed.integrations)
        text = F.to_json(own, WITHOUT_NULLS)
        if constant:
            more = json.dumps({"integrations": constant}, separators=(",", ":"))
            text = F.concat(F.lit(more[:-1] + ","), F.substring(text, 2, 2**31 - 1))
        return {ENVELOPE.name: self.guarded(text)}

    def _of_whole(self, what: str) -> Column:
        return F.col(self.name("whole")).getField(what)

    def _members(self, when: str) -> Columns:
        return {
            self.name(f"{when}_{i}"): self.guarded(member_json(name, value))
            for i, (name, value) in enumerate(self.mapping.items())
        }

    def _differs(self, place: int) -> Column:
        after, before = F.col(self.name(f"after_{place}")), F.col(self.name(f"before_{place}"))
        return ~after.eqNullSafe(before)

    def _built(self, differs: Mapping[str, Column]) -> Column | None:
        """The call as JSON where it is made in one piece, else its content."""
        if self.call is not None and self._whole:
            return whole_body(self.fields(), (str(content_name(self.call)), self.sent_mapping()))
        return self._text(differs)

    def _text(self, differs: Mapping[str, Column]) -> Column | None:
        """Traits or properties as JSON; None where the call has none."""
        call, mapping = self.call, self.sent_mapping()
        if call is None or not mapping:
            return None
        if not self.partial:
            return content_json(mapping, nulls=self.checked.feed.nulls(call))
        members = [
            F.when(differs[name], F.col(self.name(f"after_{i}")))
            for i, name in enumerate(self.mapping)
        ]
        constant = [member_json(n, v) for n, v in mapping.items() if n not in self.mapping]
        return F.concat(F.lit("{"), joined_members([*constant, *members]), F.lit("}"))

    def sent_mapping(self) -> Mapping[str, Value]:
        """The mapping with what the API wants beside it: the type of a group's object."""
        if not isinstance(self.call, Group):
            return self.mapping
        entity = self.checked.feed.entity
        type_ = entity.object.type if isinstance(entity, ObjectEntity) else None
        return group_traits(self.call, type_)

    def _field(self, api_name: str) -> Column | None:
        """A top-level field's column: its own expression, or what the entity gives."""
        person = isinstance(self.checked.feed.entity, PersonEntity)
        given = {_EXPRESSIONS[f] for f in _EXPRESSIONS if getattr(self.call, f, None) is not None}
        if api_name in given:
            return F.col(self.name(api_name))
        if api_name == "userId" and person:
            return F.col(ID)
        if api_name == "groupId" and isinstance(self.call, Group):
            return F.col(ID)
        return None

    def constant(self, api_name: str) -> str | None:
        """The text of a top-level field that is the same in all calls."""
        if self.call is None or api_name not in {"type", "event"}:
            return None
        if api_name == "type":
            return self.call.type
        return self.call.event if isinstance(self.call, Track) else None

    def _event(self) -> Column:
        literal = self.call.event if isinstance(self.call, Track) else None
        return F.lit(literal) if literal is not None else F.col(self.name("event"))

    @property
    def _whole(self) -> bool:
        """No null is sent, at the top or in the content: the body is made in one piece."""
        call = self.call
        if call is None or self.partial or not self.sent_mapping():
            return False
        return not self.checked.feed.nulls(call)

    def fields(self) -> Columns:
        """The call's top-level fields but for its content."""
        assert self.call is not None  # noqa: S101  asked only where there is a call
        fields: Columns = {"type": F.lit(self.call.type)}
        for api_name in ("userId", "anonymousId", "groupId", "previousId", "name"):
            if (column := self._field(api_name)) is not None:
                fields[api_name] = column
        if isinstance(self.call, Track):
            fields["event"] = self._event()
        fields["timestamp"] = F.col(TIME)
        return fields

    def _body(self) -> Column:
        assert self.call is not None  # noqa: S101  asked only where there is a call
        if self._whole or isinstance(self.call, Whole):
            return F.col(self.name("text"))
        what = content_name(self.call)
        if what is None or not self.sent_mapping():
            return body(self.fields(), None)
        return body(self.fields(), (what, F.col(self.name("text"))))

    def _rules(self) -> Iterator[Rule]:
        call, limits = self.call, self.checked.limits
        if call is None:
            return
        if isinstance(call, Whole):
            yield from id_rules("entity", F.col(ID), limits, required=True)
            return
        yield from self._id_rules(call)
        if isinstance(call, Track):
            yield from event_rules(self._event(), limits)
        if parts := device_parts(call):
            device = {name: F.expr(text).cast("string") for name, text in parts.items()}
            yield from device_rules(device["token"], device.get("type"))
        if self.checked.feed.event_time is not None:
            yield time_rule(F.col(TIME))
        if (path := content_name(call)) is not None:
            yield from value_rules(
                self.mapping,
                self.checked.types[self.operations[0], self.number],
                path,
                limits,
                attributes=path == "traits",
                nulls=self.partial or self.checked.feed.nulls(call),
            )
            yield from self._probe_rules(call)

    def _id_rules(self, call: AnyCall) -> Iterator[Rule]:
        """Whom the call is about."""
        limits = self.checked.limits
        user, anonymous = self._field("userId"), self._field("anonymousId")
        group, previous = self._field("groupId"), self._field("previousId")
        alone = call.type == "alias" or (anonymous is None and not isinstance(call, Group))
        if user is not None:
            yield from id_rules("userId", user, limits, required=alone)
        if anonymous is not None:
            required = user is None and not isinstance(call, Group)
            yield from id_rules("anonymousId", anonymous, limits, required=required)
        if user is not None and anonymous is not None and not isinstance(call, Group):
            yield either_rule(user, anonymous)
        if group is not None:
            yield from id_rules("groupId", group, limits, required=True)
        if previous is not None:
            yield from id_rules("previousId", previous, limits, required=True)

    def _probe_rules(self, call: AnyCall) -> Iterator[Rule]:
        """What the API's models refuse beside the rules that hold for all."""
        feed, limits = self.checked.feed, self.checked.limits
        types = self.checked.types[self.operations[0], self.number]
        yield from probe_rules(
            feed,
            call,
            {name: value_column(value) for name, value in self.mapping.items()},
            types,
            nulls=self.partial or feed.nulls(call),
            limits=limits,
        )
        if isinstance(call, Track) and call.event is None:
            untold = untold_events(feed, call, types, limits=limits)
            if untold:
                yield Rule(
                    broken=F.coalesce(self._event().isin(*untold), F.lit(False)),
                    reason="documented_event",
                    detail="event",
                )


def call_plans(
    checked: CheckedFeed, *, assembled: bool = False
) -> tuple[tuple[CallPlan, ...], ...]:
    """The calls of each group of operations that become the same."""
    grouped: list[tuple[bool, tuple[AnyCall, ...], list[Operation]]] = []
    for operation in OPERATIONS:
        calls = checked.feed.calls(operation)
        compared = operation == "update" and checked.feed.changes_only
        for known_compared, known, operations in grouped:
            if (known_compared, known) == (compared, calls):
                operations.append(operation)
                break
        else:
            grouped.append((compared, calls, [operation]))
    return tuple(
        tuple(
            CallPlan(
                checked=checked,
                operations=tuple(operations),
                number=number,
                call=call,
                compared=compared and _comparable(call),
                assembled=assembled and call is not None,
            )
            for number, call in enumerate(calls or (None,))
        )
        for compared, calls, operations in grouped
    )


def _comparable(call: AnyCall | None) -> bool:
    """An event without properties has nothing that could differ, and is sent."""
    return call is not None and (bool(content(call)) or isinstance(call, Identify | Group))


def moment(feed: Feed, committed_at: str) -> Column:
    """When it happened: by the feed's event time, else when the change was committed."""
    if feed.event_time is None:
        return F.col(committed_at)
    return F.coalesce(F.expr(feed.event_time).cast("timestamp"), F.col(committed_at))
