"""Slices of a micro-batch, staged and unstaged."""

import pytest

from pipeline.source.net import net
from pipeline.streams.cut import cut
from pipeline.streams.slow import half_of


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("slices", [1, 3])
def test_slices_together_are_the_micro_batch_and_no_entity_is_in_two(
    source, *, keep: bool, slices: int
) -> None:
    """A change would be lost or sent twice, or one person's order would be cut."""
    people = source("id string, name string, n int")
    people.append(*((str(i), str(i % 5) if i % 7 else None, i) for i in range(60)))
    feed = people.feed_of(
        "row_key: [id]\nentity: {person: name}\norder_by: [-n]\n"
        "insert: {type: identify, traits: {n: n}}"
    )
    checked, netted = people.check(feed), net(people.changes(), feed)
    with cut(netted, checked, slices=slices, tasks=2, one_version=True, keep=keep) as rows:
        parts = [rows(number).collect() for number in range(slices)]
        halves = [
            half_of(lambda: half_of(lambda: rows(0), 0, 1), 1, half).collect() for half in range(2)
        ]
        halves.append(half_of(lambda: rows(0), 0, 0).collect())
    assert len({bytes(row.digest) for part in parts for row in part}) == 60
    assert sum(map(len, parts)) == 60
    entities = [{row.entity for row in part if row.entity} for part in parts]
    assert sum(map(len, entities)) == 5
    for entity in set().union(*entities):  # its order, which is -n, whoever else comes between
        numbers = [row[-1] for part in parts for row in part if row.entity == entity]
        assert numbers == sorted(numbers, reverse=True)
        assert len(set(numbers)) > 9  # else the column is another one
    together = [bytes(row.digest) for half in halves for row in half]
    assert sorted(together) == sorted(bytes(row.digest) for row in parts[0])
    halved = [{row.entity for row in half if row.entity} for half in halves]
    assert sum(map(len, halved)) == len(entities[0])
