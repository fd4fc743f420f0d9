"""Entities of messages as codes: what a lane, a barrier and a record ask of them."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.sealed import NO_ENTITY, Entities, entities

ANN, BOB = b"a" * 16, b"b" * 16


@pytest.fixture
def found() -> Entities:
    return entities(pa.array([ANN, None, BOB, ANN, NO_ENTITY], pa.binary()))


def test_a_place_gives_its_own_hash_or_none(found: Entities) -> None:
    """A message would be barred, or recorded, for another person's sake."""
    assert [found[place] for place in range(5)] == [ANN, NO_ENTITY, BOB, ANN, NO_ENTITY]


def test_places_of_wanted_entities_are_all_of_theirs_and_no_others(found: Entities) -> None:
    """A barred person's later message would overtake an earlier one."""
    assert found.places_of(frozenset({ANN, b"c" * 16})) == [0, 3]
    assert found.places_of(frozenset()) == []
    assert found.places_of(frozenset({NO_ENTITY})) == []


def test_an_entity_has_one_lane(found: Entities) -> None:
    """Two lanes would send one person's messages beside each other."""
    lanes = found.lanes(7)
    assert lanes[0] == lanes[3]
    assert all(lanes < 7)
    assert lanes[1] == lanes[4] == 0


def test_the_column_of_chosen_places_has_null_for_no_entity(found: Entities) -> None:
    """An empty hash in a table would look like a person's."""
    column = found.column(np.array([4, 2, 0]))
    assert column.to_pylist() == [None, BOB, ANN]
