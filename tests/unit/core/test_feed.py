"""Feed files: what is read, what is filled in, and what each refusal says."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.feed import Feed, FeedError, parse_feed
from pipeline.core.feed_calls import Group, Identify, Track
from pipeline.core.feed_model import ConsentTable, FromTimestamp, FromVersion, ObjectEntity

FILE = "conf/feeds/households.yml"
HOUSEHOLDS = """\
source: households
start: snapshot
row_key: [household_id]
entity: {person: household_id}
insert: {type: identify, traits: {age: age, address: {city: city, zip: upper(zip)}}}
"""
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def parse(text: str, file: str = FILE) -> Feed:
    return parse_feed(text, file=file)


def refusal(text: str) -> str:
    with pytest.raises(FeedError) as caught:
        parse(text)
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert old in HOUSEHOLDS
    return HOUSEHOLDS.replace(old, new)


def test_defaults_are_filled_in() -> None:
    """A short file gets its name from the file, its updates from inserts, and drops deletes."""
    feed = parse(HOUSEHOLDS)
    assert feed.name == "households"
    assert feed.update == feed.insert
    assert isinstance(feed.insert[0], Identify)
    assert feed.delete == ()
    assert (feed.delete_guard.count, feed.delete_guard.share) == (1000, 0.2)
    assert feed.envelope() == b"{}"


def test_consent_is_an_expression_or_a_table() -> None:
    """A consent table would be taken for SQL, or a slip in it for one without consent."""
    table = parse(HOUSEHOLDS + "consent: {table: consents, key: id, column: given}\n")
    assert table.consent == ConsentTable(table="consents", key="id", column="given")
    assert "consent" not in dict(table.expressions())
    assert parse(HOUSEHOLDS + "consent: given\n").consent == "given"
    assert "consent: must be SQL, or {table" in refusal(HOUSEHOLDS + "consent: {key: id}\n")
    assert "consent.key: is missing" in refusal(HOUSEHOLDS + "consent: {table: t, column: given}\n")


def test_expressions_are_listed_with_their_place_in_the_file() -> None:
    """Each expression comes once, with the dotted path that a person finds it by."""
    feed = parse(HOUSEHOLDS + "filter: age > 3\ndelete: [delete_person]\n")
    assert dict(feed.expressions()) == {
        "entity.person": "household_id",
        "filter": "age > 3",
        "insert.traits.age": "age",
        "insert.traits.address.city": "city",
        "insert.traits.address.zip": "upper(zip)",
    }


def test_a_delete_of_a_person_is_the_reserved_event() -> None:
    """`delete_person` and `suppress_person` are tracks of Customer.io's reserved events."""
    feed = parse(HOUSEHOLDS + "delete: [delete_person, suppress_person]\n")
    assert [call.event for call in feed.delete if isinstance(call, Track)] == [
        "User Deleted",
        "User Suppressed",
    ]


def test_a_delete_of_an_object_names_the_object() -> None:
    """`delete_object` takes id and type from the feed's entity."""
    feed = parse(
        changed("{person: household_id}", "{object: {type: 2, id: store}}").replace(
            "identify", "group"
        )
        + "delete: delete_object\n"
    )
    assert isinstance(feed.entity, ObjectEntity)
    assert isinstance(feed.insert[0], Group)
    (call,) = feed.delete
    assert isinstance(call, Track)
    assert call.event == "Object Deleted"
    assert call.properties == {"objectId": "CAST(store AS STRING)", "objectTypeId": "2"}


def test_operations_become_as_many_messages_as_calls_and_at_least_one() -> None:
    """A change that becomes nothing is still accounted for by one message."""
    feed = parse(HOUSEHOLDS + "update: [{type: identify}, {type: track, event: Moved}]\n")
    counts = [feed.messages(operation) for operation in ("insert", "update", "delete")]
    assert counts == [1, 2, 1]
    assert feed.messages("delete") == 1


def test_nulls_are_sent_where_they_remove_something() -> None:
    """Null removes a trait, so identify sends it by default and track does not."""
    feed = parse(HOUSEHOLDS + "update: {type: track, event: Moved}\n")
    assert feed.nulls(feed.insert[0])
    assert not feed.nulls(feed.update[0])
    assert parse(HOUSEHOLDS + "send_nulls: false\n").nulls(feed.insert[0]) is False


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("latest", "latest"),
        ("{version: 3}", FromVersion(version=3)),
        ("{timestamp: 2026-01-01T00:00:00Z}", FromTimestamp(timestamp=NEW_YEAR)),
        ('{timestamp: "2026-01-01T02:00:00+02:00"}', FromTimestamp(timestamp=NEW_YEAR)),
    ],
)
def test_starts(start: str, expected: object) -> None:
    """All four kinds of start are read, a timestamp as text or as YAML has it."""
    assert parse(changed("snapshot", start)).start == expected


def test_the_envelope_is_compact_json() -> None:
    """Context and integrations are constant JSON, given once a batch."""
    feed = parse(HOUSEHOLDS + "context: {ip: 0.0.0.0}\nintegrations: {All: true}\n")
    assert json.loads(feed.envelope()) == {
        "context": {"ip": "0.0.0.0"},  # noqa: S104
        "integrations": {"All": True},
    }


def test_numbers_and_booleans_are_sql_literals() -> None:
    """YAML's bare scalars need no quotes to be SQL."""
    feed = parse(changed("age: age", "age: 3, vip: true, share: 0.5"))
    assert [text for _, text in feed.expressions()][1:4] == ["3", "true", "0.5"]


@pytest.mark.parametrize(
    ("old", "new", "field", "reason"),
    [
        ("start: snapshot\n", "", "start", "is missing"),
        ("snapshot", "first", "start", "'snapshot' or 'latest'"),
        ("snapshot", "[1]", "start", "must be snapshot, latest"),
        ("snapshot", "{version: -1}", "start.version", "greater than or equal to 0"),
        ("snapshot", "{timestamp: 2026-01-01T00:00:00}", "start.timestamp", "timezone"),
        ("{person: household_id}", "household_id", "entity", "must be {person"),
        ("{person: household_id}", "{object: {type: x, id: a}}", "entity.object.type", "pattern"),
        ("city: city", "city: rand()", "insert.traits.address.city", "rand does not"),
        ("city: city", "city: ", "insert.traits.address.city", "quotes"),
        ("city: city", "city: 2020-01-01", "insert.traits.address.city", "quotes"),
        ("city: city", "city: {}", "insert.traits.address.city", "at least 1"),
        ("city: city", "1: city", "insert.traits.address[1]", "quotes"),
        ("identify", "identity", "insert", "must be a call with a type"),
        ("traits", "properties", "insert.properties", "is not known here"),
        ("insert", "inset", "inset", "is not known here"),
        ("source: households", "source: households\nname: A-b", "name", "pattern"),
        ("source: households", "source: households\nfile: x", "file", "is no field"),
        ("insert:", "delete: insert\ninsert:", "delete", "must be a call with a type"),
        ("insert:", "update: [{type: track}]\ninsert:", "update[0]", "either event"),
        ("insert:", "context: {a: .nan}\ninsert:", "context", "constant JSON"),
        ("insert:", "update: {type: group}\ninsert:", "update, call 0", "needs group_id"),
        ("source: households", "source: a\nsource: b", "line 2", "given twice"),
        ("row_key: [household_id]", "row_key: [", "line 5", "expected"),
    ],
)
def test_refusals_name_file_field_and_reason(old: str, new: str, field: str, reason: str) -> None:
    """Each refusal is one line: file, field, reason."""
    lines = [line for line in refusal(changed(old, new)).splitlines() if f"{FILE}: {field}" in line]
    assert len(lines) == 1
    assert reason in lines[0]


def test_a_mistake_in_insert_is_told_once() -> None:
    """Updates that are as inserts do not repeat the inserts' problems."""
    assert len(refusal(changed("city: city", "city: rand()")).splitlines()) == 1


def test_an_object_feed_must_say_whom_a_track_is_about() -> None:
    """A feed about an object cannot track without a person or an anonymous id."""
    text = changed("{person: household_id}", "{object: {type: 1, id: store}}")
    assert "needs user_id or anonymous_id" in refusal(text)


@given(st.text(max_size=200))
def test_any_text_is_a_feed_or_a_feed_error(text: str) -> None:
    """No text makes the parser raise anything but its own error, which names the file."""
    with pytest.raises(FeedError) as caught:
        parse(text)
    assert str(caught.value).startswith(FILE)


def test_a_feed_of_requests_has_the_calls_that_follow_from_it() -> None:
    """An inserted row asks to erase; later changes of the row ask for nothing."""
    text = "source: r\nstart: latest\nrow_key: [id]\nentity: {person: id}\nerasure: suppress\n"
    feed = parse(text)
    (call,) = feed.insert
    assert isinstance(call, Track)
    assert call.event == "User Suppressed"
    assert (feed.update, feed.delete) == ((), ())
    assert "a feed with erasure has no insert" in refusal(f"{text}insert: delete_person\n")
    about_objects = text.replace("{person: id}", "{object: {type: '1', id: id}}")
    assert "only people can be suppressed" in refusal(about_objects)
    assert parse(about_objects.replace("suppress", "delete")).insert[0].type == "track"
