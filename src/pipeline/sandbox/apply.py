"""Apply what a call does beyond being recorded."""

import sqlite3
from collections.abc import Mapping
from typing import Any, assert_never

import msgspec

from pipeline.sandbox.effects import (
    DeleteDevice,
    DeleteObject,
    DeletePerson,
    DeleteRelationship,
    Effect,
    SetAttributes,
    SetDevice,
    SetObject,
    SuppressPerson,
    UnsuppressPerson,
    merge,
)

_OfPerson = SetAttributes | DeletePerson | SuppressPerson | UnsuppressPerson
_OfObject = SetObject | DeleteObject | DeleteRelationship

_SET_ATTRIBUTES = """
INSERT INTO people (user_id, attributes, identified_timestamp) VALUES (?, ?, ?)
ON CONFLICT (user_id) DO UPDATE SET
  attributes = excluded.attributes, identified_timestamp = excluded.identified_timestamp
"""
_DELETE_PERSON = """
INSERT INTO people (user_id, deleted_seq) VALUES (?, ?)
ON CONFLICT (user_id) DO UPDATE SET
  attributes = '{}', identified_timestamp = NULL, deleted_seq = excluded.deleted_seq
"""
_DEVICE = "user_id = ? AND token = ?"
_OBJECT = "type_id = ? AND object_id = ?"
_RELATIONSHIP = f"{_OBJECT} AND user_id = ?"


def apply(database: sqlite3.Connection, effect: Effect, seq: int) -> None:
    """Do what the call that arrived as number *seq* does."""
    match effect:
        case SetAttributes() | DeletePerson() | SuppressPerson() | UnsuppressPerson():
            _apply_to_person(database, effect, seq)
        case SetDevice(user_id=user_id, token=token, attributes=changes):
            key = (user_id, token)
            device = _merged(database, f"devices WHERE {_DEVICE}", key, changes)
            database.execute("REPLACE INTO devices VALUES (?, ?, ?)", (*key, device))
        case DeleteDevice(user_id=user_id, token=token):
            database.execute(f"DELETE FROM devices WHERE {_DEVICE}", (user_id, token))
        case SetObject() | DeleteObject() | DeleteRelationship():
            _apply_to_object(database, effect)
        case _:
            assert_never(effect)


def _apply_to_person(database: sqlite3.Connection, effect: _OfPerson, seq: int) -> None:
    match effect:
        case SetAttributes(user_id=user_id, attributes=changes, timestamp=timestamp):
            person = _merged(database, "people WHERE user_id = ?", (user_id,), changes)
            database.execute(_SET_ATTRIBUTES, (user_id, person, timestamp))
        case DeletePerson(user_id=user_id):
            _delete_person(database, user_id, seq)
        case SuppressPerson(user_id=user_id):
            _delete_person(database, user_id, seq)
            database.execute("UPDATE people SET suppressed = 1 WHERE user_id = ?", (user_id,))
        case UnsuppressPerson(user_id=user_id):
            database.execute("UPDATE people SET suppressed = 0 WHERE user_id = ?", (user_id,))
        case _:
            assert_never(effect)


def _delete_person(database: sqlite3.Connection, user_id: str, seq: int) -> None:
    database.execute(_DELETE_PERSON, (user_id, seq))
    database.execute("DELETE FROM devices WHERE user_id = ?", (user_id,))
    database.execute("DELETE FROM relationships WHERE user_id = ?", (user_id,))


def _apply_to_object(database: sqlite3.Connection, effect: _OfObject) -> None:
    key = (effect.type_id, effect.object_id)
    match effect:
        case SetObject(user_id=user_id):
            attributes = _merged(database, f"objects WHERE {_OBJECT}", key, effect.attributes)
            database.execute("REPLACE INTO objects VALUES (?, ?, ?)", (*key, attributes))
            if user_id is not None:
                related = (*key, user_id)
                where = f"relationships WHERE {_RELATIONSHIP}"
                attributes = _merged(database, where, related, effect.relationship)
                database.execute(
                    "REPLACE INTO relationships VALUES (?, ?, ?, ?)", (*related, attributes)
                )
        case DeleteObject():
            database.execute(f"DELETE FROM objects WHERE {_OBJECT}", key)
            database.execute(f"DELETE FROM relationships WHERE {_OBJECT}", key)
        case DeleteRelationship(user_id=user_id):
            database.execute(f"DELETE FROM relationships WHERE {_RELATIONSHIP}", (*key, user_id))
        case _:
            assert_never(effect)


def _merged(
    database: sqlite3.Connection, where: str, key: tuple[str, ...], changes: Mapping[str, Any]
) -> str:
    """The JSON of the attributes that stand at a key, with changes merged in."""
    row = database.execute(f"SELECT attributes FROM {where}", key).fetchone()
    before = msgspec.json.decode(row[0]) if row else {}
    return msgspec.json.encode(merge(before, changes)).decode()
