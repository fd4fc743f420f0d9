"""Rounds: grouped by context, in order for each person, sent as the streams send."""

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.client.message import Message, seal
from pipeline.client.round import arranged
from pipeline.core.api.calls import Alias
from pipeline.core.api.limits import DEFAULT_LIMITS

from .conftest import calls_of, drain, message

NAMES = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3, unique=True)
PLAIN = message()
MESSAGES = st.lists(
    st.builds(
        lambda names, envelope, alone: replace(
            PLAIN, names=tuple(names), envelope=envelope, alone=alone
        ),
        NAMES,
        st.sampled_from([b"{}", b'{"context":{}}', b'{"integrations":{}}']),
        st.booleans(),
    ),
    max_size=30,
).map(lambda found: [replace(one, id=str(place)) for place, one in enumerate(found)])


@given(MESSAGES)
def test_calls_that_share_a_name_stay_in_order(messages: list[Message]):
    """A person's calls would overtake each other."""
    ordered, roots = arranged(messages)
    assert sorted(one.id for one in ordered) == sorted(one.id for one in messages)
    seen: dict[str, list[int]] = defaultdict(list)
    lane: dict[str, set[str]] = defaultdict(set)
    for one, root in zip(ordered, roots, strict=True):
        for name in one.names:
            seen[name].append(int(one.id))
            lane[name].add(root)
    assert all(before < after for ids in seen.values() for before, after in pairwise(ids))
    assert all(len(roots) == 1 for roots in lane.values())


async def test_people_with_one_context_share_a_request(box, destination):
    """Contexts that alternate would cost a request a call."""
    for place in range(200):
        shared = {"ip": "192.0.2.1"} if place % 2 else {"ip": "192.0.2.2"}
        box.take_in(message(f"{place}", context=shared))
    await drain(box)
    assert len(destination.calls) == 200
    assert len(destination.requests) <= 2 * box.options.delivery.lanes


async def test_an_alias_goes_alone_between_what_came_before_and_after(box, destination):
    """The merge would come before what it merges, or the batch would be refused."""
    box.take_in(message("old", "before"))
    box.take_in(seal(Alias, {"userId": "new", "previousId": "old"}, DEFAULT_LIMITS))
    box.take_in(message("new", "after"))
    await drain(box)
    assert [request.endpoint for request in destination.requests] == ["batch", "alias", "batch"]
    assert [calls_of(request)[0].get("event") for request in destination.requests] == [
        "before",
        None,
        "after",
    ]
