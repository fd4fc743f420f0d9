"""Drafts: bodies, order, what is skipped and what is dead, and where each is accounted for."""

import json

from pipeline.core.draft import DDL, NAMES
from pipeline.source.draft import drafts
from pipeline.source.net import net

PEOPLE = "id string, name string, age int, seen timestamp"
PERSON = "row_key: [id]\nentity: {person: id}\n"
IDENTIFY = PERSON + "insert: {type: identify, traits: {name: name, facts: {age: age}}}\n"


def test_an_insert_becomes_a_call_in_the_apis_words(source) -> None:
    """The body is the API's JSON, with nulls kept for identify, and the commit's time in UTC."""
    people = source(PEOPLE)
    people.append(("a", None, 3, None))
    feed = people.feed_of(IDENTIFY)
    (draft,) = people.drafts(feed)
    body = people.body_of(draft)
    assert body.pop("timestamp").endswith("Z")
    assert body == {
        "type": "identify",
        "userId": "a",
        "traits": {"name": None, "facts": {"age": 3}},
    }
    assert (draft.entity, draft.call_type, draft.event) == ("person:a", "identify", None)
    assert (draft.kind, draft.stage, draft.reason, draft.detail) == (None, None, None, None)
    assert len(draft.digest) == 16
    assert (draft.source_version, draft.call_number) == (1, 0)


def test_the_columns_are_the_contract(source) -> None:
    """Names and types are those of core.draft, in its order."""
    people = source(PEOPLE)
    people.append(("a", "b", 3, None))
    for more in ("", "delete: [delete_person, {type: track, event: Left}]\n"):
        feed = people.feed_of(IDENTIFY + more)
        frame = drafts(net(people.changes(), feed), people.check(feed), partitions=1)
        assert tuple(frame.columns) == NAMES
        assert ", ".join(f"{n} {t}" for n, t in frame.dtypes) == DDL


def test_track_leaves_nulls_out_and_takes_the_event_time(source) -> None:
    """Properties that are null are not sent, and the timestamp is the row's own."""
    people = source(PEOPLE)
    people.sql("INSERT INTO {t} VALUES ('a', NULL, 3, timestamp'2026-01-02 03:04:05.678Z')")
    feed = people.feed_of(
        PERSON + "event_time: seen\n"
        "insert: {type: track, event_expression: \"concat('Seen ', id)\","
        " properties: {name: name, age: age}}"
    )
    (draft,) = people.drafts(feed)
    assert draft.event == "Seen a"
    assert people.body_of(draft) == {
        "type": "track",
        "userId": "a",
        "event": "Seen a",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "properties": {"age": 3},
    }


def test_every_type_of_call(source) -> None:
    """One change becomes all six calls, numbered in the feed's order."""
    people = source(PEOPLE)
    people.append(("a", "n", 3, None))
    feed = people.feed_of(
        PERSON
        + """
insert:
  - {type: identify, anonymous_id: name}
  - {type: track, event: Joined}
  - {type: page, name: name, properties: {url: id}}
  - {type: screen, name: "cast(null as string)"}
  - {type: group, group_id: age, object_type_id: "2", traits: {n: name}}
  - {type: alias, previous_id: name}
"""
    )
    rows = people.drafts(feed)
    assert [row.call_number for row in rows] == list(range(6))
    assert len({bytes(row.digest) for row in rows}) == 6
    bodies = [people.body_of(row) for row in rows]
    for body in bodies:
        del body["timestamp"]
    assert bodies == [
        {"type": "identify", "userId": "a", "anonymousId": "n"},
        {"type": "track", "userId": "a", "event": "Joined"},
        {"type": "page", "userId": "a", "name": "n", "properties": {"url": "a"}},
        {"type": "screen", "userId": "a"},
        {
            "type": "group",
            "userId": "a",
            "groupId": "3",
            "traits": {"object_type_id": "2", "n": "n"},
        },
        {"type": "alias", "userId": "a", "previousId": "n"},
    ]


def test_an_object_is_a_group(source) -> None:
    """A feed about objects groups without a person, with the type among the traits."""
    people = source(PEOPLE)
    people.append(("a", "n", 3, None))
    people.sql("DELETE FROM {t}")
    feed = people.feed_of(
        "row_key: [id]\nentity: {object: {type: 2, id: id}}\n"
        "insert: {type: group, traits: {n: name}}\ndelete: delete_object\n"
    )
    group, gone = people.drafts(feed)
    assert group.entity == gone.entity == "object:2:a"
    assert people.body_of(group)["traits"] == {"object_type_id": "2", "n": "n"}
    assert people.body_of(group)["groupId"] == "a"
    assert people.body_of(gone)["event"] == "Object Deleted"
    assert people.body_of(gone)["properties"] == {"objectId": "a", "objectTypeId": 2}


def test_what_is_not_sent_says_why(source) -> None:
    """A filtered change, a false condition and a change that becomes nothing are skipped."""
    people = source(PEOPLE)
    people.append(("a", "n", 1, None), ("b", "n", 5, None), ("c", "n", None, None))
    people.sql("DELETE FROM {t} WHERE id = 'b'")
    feed = people.feed_of(
        PERSON + "filter: age > 2\n"
        "insert: [{type: identify}, {type: track, event: Old, when: age > 60}]\n"
    )
    found = {(row.entity, row.call_number, row.kind, row.reason) for row in people.drafts(feed)}
    assert found == {
        ("person:a", 0, "skipped", "filtered"),
        ("person:a", 1, "skipped", "filtered"),
        ("person:b", 0, None, None),
        ("person:b", 1, "skipped", "condition"),
        ("person:c", 0, "skipped", "filtered"),
        ("person:c", 1, "skipped", "filtered"),
        ("person:b", 0, "skipped", "nothing"),
    }
    assert all(row.body is None for row in people.drafts(feed) if row.kind == "skipped")


def test_changes_only_sends_the_traits_that_changed(source) -> None:
    """An update that changes no mapped value is skipped; another sends just what differs."""
    people = source(PEOPLE)
    people.append(("a", "n", 1, None), ("b", "n", 1, None), ("c", "n", 1, None))
    people.sql("UPDATE {t} SET seen = timestamp'2026-01-01'")
    people.sql("UPDATE {t} SET age = 2, name = IF(id = 'a', NULL, name) WHERE id < 'c'")
    feed = people.feed_of(IDENTIFY + "changes_only: true\nsend_nulls: false\n")
    rows = people.drafts(feed, changes=people.changes(2))
    assert [(r.source_version, r.entity, r.reason) for r in rows if r.kind] == [
        (2, f"person:{one}", "unchanged") for one in "abc"
    ]
    sent = {row.entity: people.body_of(row)["traits"] for row in rows if row.kind is None}
    assert sent == {
        "person:a": {"name": None, "facts": {"age": 2}},
        "person:b": {"facts": {"age": 2}},
    }


def test_changes_only_keeps_an_events_properties_together(source) -> None:
    """An event is skipped when nothing differs, but never sent with half its properties."""
    people = source(PEOPLE)
    people.append(("a", "n", 1, None))
    people.sql("UPDATE {t} SET age = 2")
    feed = people.feed_of(
        PERSON + "changes_only: true\n"
        "insert: {type: track, event: Changed, properties: {name: name, age: age, was: before.age}}"
    )
    (draft,) = people.drafts(feed, changes=people.changes(2))
    assert people.body_of(draft)["properties"] == {"name": "n", "age": 2, "was": 1}


def test_before_and_change_are_there_for_expressions(source) -> None:
    """The image before is null for an insert, and the change tells of itself."""
    people = source(PEOPLE)
    people.append(("a", "n", 1, None))
    people.sql("UPDATE {t} SET age = 2")
    feed = people.feed_of(
        PERSON
        + "insert: {type: track, event: E}\n"
        + "update: {type: track, event: E, properties: {was: before.age, o: change.operation,"
        " v: change.version, t: change.committed_at}}\n"
    )
    _, update = people.drafts(feed)
    properties = people.body_of(update)["properties"]
    assert properties.pop("t") == people.body_of(update)["timestamp"]
    assert properties == {"was": 1, "o": "update", "v": 2}


def test_a_column_named_before_wins(source) -> None:
    """A table may have columns named before and change; then these are what is meant."""
    people = source("id string, before int, change string")
    people.append(("a", 7, "x"))
    feed = people.feed_of(PERSON + "insert: {type: identify, traits: {b: before, c: change}}")
    assert people.body_of(people.drafts(feed)[0])["traits"] == {"b": 7, "c": "x"}


def test_odd_names_and_values_survive(source) -> None:
    """Quotes, dots, spaces and emoji-free Unicode in names and values are JSON as it should be."""
    people = source("id string, `a.b c` string, `q``q` array<struct<x: double>>")
    text = 'he said "x"\\\n\u00e9\u4e2d'
    people.append(("a'b", text, [(1.5,)]))
    feed = people.feed_of(
        PERSON
        + "insert: {type: identify, traits: {'x.y \"z\"': '`a.b c`', arr: '`q``q`', \"it's\": id}}"
    )
    assert people.body_of(people.drafts(feed)[0])["traits"] == {
        'x.y "z"': text,
        "arr": [{"x": 1.5}],
        "it's": "a'b",
    }


def test_order_is_by_version_then_order_by_then_key(source) -> None:
    """Within one commit the feed's order rules, and commits come in their own order."""
    people = source(PEOPLE)
    people.append(("a", "p", 3, None), ("c", "p", 1, None), ("b", "p", 1, None))
    people.append(("d", "p", 0, None))
    feed = people.feed_of(
        "row_key: [id]\nentity: {person: name}\norder_by: [age]\n"
        "insert: {type: track, event: E, properties: {id: id}}"
    )
    assert [people.body_of(r)["properties"]["id"] for r in people.drafts(feed)] == [
        "b",
        "c",
        "a",
        "d",
    ]


def test_buckets_part_the_entities(source) -> None:
    """Each draft is in one bucket, and an entity is in one bucket as a whole."""
    people = source(PEOPLE)
    people.append(*((str(i), str(i % 5) if i % 7 else None, i, None) for i in range(60)))
    feed = people.feed_of("row_key: [id]\nentity: {person: name}\ninsert: {type: identify}")
    checked, netted = people.check(feed), net(people.changes(), feed)
    parts = [drafts(netted, checked, partitions=2, bucket=(i, 3)).collect() for i in range(3)]
    whole = drafts(netted, checked, partitions=2).collect()
    assert sorted(bytes(r.digest) for p in parts for r in p) == sorted(
        bytes(r.digest) for r in whole
    )
    entities = [{r.entity for r in part if r.entity} for part in parts]
    assert sum(map(len, entities)) == 5


def test_digests_are_a_pure_function_of_the_change(source) -> None:
    """The same changes give the same digests however they are split, and no two are equal."""
    people = source(PEOPLE)
    people.append(("a", "p", 3, None), ("a", "p", 3, None), ("a", "q", 1, None))
    people.append(("a", "p", 3, None))
    feed = people.feed_of(IDENTIFY)
    first = [bytes(r.digest) for r in people.drafts(feed)]
    assert len(set(first)) == 4
    apart = [
        bytes(r.digest) for v in (1, 2) for r in people.drafts(feed, changes=people.changes(v, v))
    ]
    assert sorted(apart) == sorted(first)


def test_what_the_models_refuse_is_dead_with_field_and_reason(source) -> None:
    """Ids, event names, attribute sizes, numbers and times that the API would not take."""
    people = source(
        "id string, anon string, e string, n double, l array<struct<f: float>>, t timestamp"
    )
    rows = {
        "k1": (None, None, "E", 1.0, None),
        "k2": ("  ", None, "E", 1.0, None),
        "k3": ("x" * 151, None, "E", 1.0, None),
        "k4": ("a", None, " ", 1.0, None),
        "k5": ("a", None, "\u00e9" * 51, 1.0, None),
        "k6": ("a", None, "E", float("nan"), None),
        "k7": ("a", None, "E", float("-inf"), None),
        "k8": ("a", None, "E", 1.0, [(1.0,), (float("inf"),)]),
        "k9": ("a", None, "E", None, [None, (None,)]),
    }
    people.append(*((*row, None) for row in rows.values()))
    feed = people.feed_of(
        "row_key: []\nentity: {person: id}\n"
        "insert: {type: track, event_expression: e, properties: {n: n, l: l}}"
    )
    found = people.drafts(feed)
    dead = sorted((r.reason, r.detail) for r in found if r.kind == "dead")
    assert dead == sorted(
        [
            ("id_missing", "userId"),
            ("id_missing", "userId"),
            ("id_too_long", "userId"),
            ("event_missing", "event"),
            ("event_too_long", "event"),
            ("not_finite", "properties.n"),
            ("not_finite", "properties.n"),
            ("not_finite", "properties.l"),
        ]
    )
    assert all(r.stage == "validate" and r.body for r in found if r.kind == "dead")
    assert sum(r.kind is None for r in found) == 1


def test_attributes_that_are_too_long_are_dead(source) -> None:
    """A trait's text, list or object over 1,000 bytes is refused; a property's is not."""
    people = source("id string, s string, l array<string>")
    long = "\u00e9" * 501
    people.append(("a", long, None), ("b", None, [long]), ("c", "x" * 1000, None))
    feed = people.feed_of(PERSON + "insert: {type: identify, traits: {s: s, l: l}}")
    found = {(r.entity, r.reason, r.detail) for r in people.drafts(feed)}
    assert found == {
        ("person:a", "value_too_long", "traits.s"),
        ("person:b", "value_too_long", "traits.l"),
        ("person:c", None, None),
    }
    track = people.feed_of(PERSON + "insert: {type: track, event: E, properties: {s: s, l: l}}")
    assert {r.kind for r in people.drafts(track)} == {None}


def test_a_time_beyond_four_digits_is_dead(source) -> None:
    """A year that ISO 8601 cannot hold in four digits is refused before the API sees it."""
    people = source(PEOPLE)
    people.sql("INSERT INTO {t} VALUES ('a', 'n', 3, timestamp'+12026-01-02 03:04:05Z')")
    feed = people.feed_of(IDENTIFY + "event_time: seen\n")
    (draft,) = people.drafts(feed)
    assert (draft.kind, draft.reason, draft.detail) == (
        "dead",
        "timestamp_out_of_range",
        "timestamp",
    )


def test_a_feed_without_a_row_key_takes_the_rows_hash(source) -> None:
    """Equal rows of a commit are told apart by number, and an unchanged row stays one change."""
    people = source("id string, m map<string, double>")
    people.append(("a", {"x": 1.0}), ("a", {"x": 1.0}), ("b", None))
    people.overwrite(("a", {"x": 1.0}), ("b", None), ("c", None))
    feed = people.feed_of(
        "row_key: []\nentity: {person: id}\nchanges_only: true\n"
        "insert: {type: identify, traits: {m: m}}\ndelete: delete_person\n"
    )
    rows = people.drafts(feed)
    assert len({bytes(r.digest) for r in rows}) == len(rows) == 7
    second = [(r.entity, r.call_type, r.reason) for r in rows if r.source_version == 2]
    assert sorted(second, key=str) == [
        ("person:a", "identify", "unchanged"),
        ("person:a", "track", None),
        ("person:b", "identify", "unchanged"),
        ("person:c", "identify", None),
    ]


def test_bodies_are_compact(source) -> None:
    """No byte of white space is paid for."""
    people = source(PEOPLE)
    people.append(("a", "n", 1, None))
    (draft,) = people.drafts(people.feed_of(IDENTIFY))
    body = draft.body[:-1]
    assert json.dumps(json.loads(body), separators=(",", ":")) == body
