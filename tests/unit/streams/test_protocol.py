"""The protocol, whatever comes between its steps: a stateful model on the project's own core.

Sealing, judging, lanes, bars, bisection, rows of outcomes, the fold and the leases are the real
ones; tables are lists of commits. Actors stop at every instruction that others could see, and the
test chooses who goes on, who is killed, who is doubled by a second holder, and what the
destination answers.
"""

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from .protocol import Answer, World

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

    @rule(actor=st.sampled_from(ACTORS))
    def kill(self, actor):
        self.world.kill(actor)

    @rule(actor=st.sampled_from(ACTORS))
    def thought_dead(self, actor):
        self.world.take_over(actor)

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


TestProtocol = Protocol.TestCase
TestProtocol.settings = settings(
    max_examples=120,
    stateful_step_count=70,
    deadline=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
