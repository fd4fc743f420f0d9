"""The protocol, whatever comes between its steps: a stateful model on the project's own core.

Sealing, judging, lanes, bars, bisection, rows of outcomes, the fold and the leases are the real
ones; tables are lists of commits. Actors stop at every instruction that others could see, and the
test chooses who goes on, who is killed, who is doubled by a second holder, and what the
destination answers.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from pipeline.core.cipher import KeyMissingError
from pipeline.core.fold import run_order
from pipeline.delivery import deliver, lane

from . import protocol
from .protocol import Answer, ViolationError, World

ACTORS = ("deliver/a", "deliver/b", "drain")
PEOPLE = ("ann", "bob", "kim")


class Protocol(RuleBasedStateMachine):
    """Any interleaving of deliver, fail, drain, expire, crash, take over, command."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(
        first=st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=4),
        second=st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=4),
    )
    def begin(self, first, second):
        self.world.commit("a", first)
        self.world.commit("b", second)
        for actor in ACTORS:
            self.world.start(actor)

    @rule(actor=st.sampled_from(ACTORS), steps=st.integers(1, 8))
    def go_on(self, actor, steps):
        for _ in range(steps):
            self.world.step(actor)

    @rule(zombie=st.integers(0, 3), steps=st.integers(1, 4))
    def the_one_before_goes_on(self, zombie, steps):
        self.world.step_zombie(zombie, steps)

    @rule(
        feed=st.sampled_from("ab"),
        people=st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3),
        poison=st.integers(0, 9),
    )
    def upstream_commits(self, feed, people, poison):
        self.world.commit(feed, people, poison=poison == 0)

    @rule(answers=st.lists(st.sampled_from(list(Answer)), min_size=1, max_size=4))
    def the_destination_answers(self, answers):
        self.world.answers.extend(answers)

    @rule(
        feed=st.sampled_from("ab"),
        person=st.sampled_from(PEOPLE),
        answers=st.lists(st.sampled_from(list(Answer)), min_size=1, max_size=3),
    )
    def one_person_is_busy(self, feed, person, answers):
        """Several requests of one person, of which some fail."""
        self.world.commit(feed, [person] * 5)
        self.world.answers.clear()
        self.world.answers.extend(answers)

    @rule(actor=st.sampled_from(ACTORS))
    def kill(self, actor):
        self.world.kill(actor)

    @rule(actor=st.sampled_from(ACTORS))
    def thought_dead(self, actor):
        self.world.take_over(actor)

    @rule(actor=st.sampled_from(ACTORS), then=st.integers(1, 40))
    def kill_as_soon_as_it_has_recorded(self, actor, then):
        """The narrowest of windows: what was recorded is not noted as done."""
        before = len(self.world.outcomes)
        self._until(actor, lambda: len(self.world.outcomes) > before)
        self.world.kill(actor)
        self.go_on(actor, then)

    @rule(actor=st.sampled_from(ACTORS), sent=st.integers(1, 3), then=st.integers(20, 60))
    def thought_dead_while_it_sends(self, actor, sent, then):
        """The next one begins, and then the one before records what it has sent."""
        before = self.world.posted
        self._until(actor, lambda: self.world.posted >= before + sent)
        self.world.take_over(actor)
        self.go_on(actor, then)
        self.world.step_zombie(len(self.world.zombies) - 1, 4)
        self.go_on(actor, 8)

    def _until(self, actor, seen):
        for _ in range(40):
            if seen():
                return
            self.world.step(actor)

    @rule(place=st.integers(0, 30), verb=st.sampled_from(["retry", "discard", "replay"]))
    def command(self, place, verb):
        self.world.command(place, verb)

    @rule(due=st.booleans())
    def time_passes(self, due):
        self.world.all_due = due

    @invariant()
    def promises_hold(self):
        self.world.check()

    def teardown(self):
        try:
            self.world.settle()
        finally:
            self.world.close()


def shipped(**changed):
    """The size of every run."""
    return settings(
        **{
            "max_examples": 80,
            "stateful_step_count": 50,
            "deadline": None,
            "phases": [Phase.explicit, Phase.generate, Phase.shrink],
            "suppress_health_check": list(HealthCheck),
            "derandomize": True,
            "database": None,
            **changed,
        }
    )


TestProtocol = Protocol.TestCase
TestProtocol.settings = shipped()


SEEN = (ViolationError, StopIteration, KeyError, KeyMissingError)
"""A promise broken, or a row that should be there is not."""


class Unfenced(dict):
    """A fence that nobody is stopped by."""

    def get(self, *_):
        return 0


def without_fence(patch):
    begin = World.__init__

    def unfenced(self):
        begin(self)
        self.fence = Unfenced()

    patch.setattr(World, "__init__", unfenced)


def in_another_order(patch):
    due = World._due

    def mixed(self):
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(protocol, "run_order", lambda one: run_order(one)[::-1])
            return due(self)

    patch.setattr(World, "_due", mixed)


def nothing_known(patch):
    patch.setattr(deliver, "_isin", lambda ids, _known: np.zeros(len(ids), np.bool_))


def no_bar_in_a_lane(patch):
    patch.setattr(lane, "_entities", lambda *_: [])


def no_barrier(patch):
    patch.setattr(protocol, "barred", lambda *_: frozenset())


def what_was_taken_in_is_forgotten(patch):
    """As if the position moved with the sending, not with the taking in."""
    after = World._after
    patch.setattr(World, "_after", lambda self, position, upto: after(self, position + 1, upto))


@pytest.mark.parametrize(
    "broken",
    [
        without_fence,
        in_another_order,
        nothing_known,
        no_bar_in_a_lane,
        no_barrier,
        what_was_taken_in_is_forgotten,
    ],
)
def test_the_model_sees_what_is_broken(monkeypatch, broken):
    """A model that finds no fault in a broken protocol says nothing of the whole one."""
    broken(monkeypatch)
    with pytest.raises(SEEN):
        run_state_machine_as_test(
            Protocol, settings=shipped(max_examples=200, phases=[Phase.generate])
        )
