"""The protocol against real tables: a random walk of the two jobs' own steps, crashes between them.

The model of `tests/unit/streams` takes thousands of steps in memory; this one takes tens on Delta,
and after each holds the queue and the barrier against the pure fold of `outcomes`.
"""

import random
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from chaos.wire import END
from pipeline.core.fold import MESSAGE_KINDS, barred, fold
from pipeline.core.packed import unpack
from pipeline.sandbox.failure import Failure, Match
from pipeline.source.check import check_feed
from pipeline.source.feed_files import load_feeds
from pipeline.source.locate import locate
from pipeline.source.readable import read_changes
from pipeline.streams import drain
from pipeline.streams import slice as slices
from pipeline.streams.claim import Claim
from pipeline.streams.deliver import DeliverFeed
from pipeline.streams.drain import Drain
from pipeline.streams.runtime import Runtime
from pipeline.tables import books, commands, leases, retry_queue
from pipeline.tables.layout import layout
from pipeline.tables.outcomes import as_fold_rows

from .conftest import ORDERS, ORDERS_FEED

FEEDS = ("orders", "refunds")
PEOPLE = ("ann", "bob", "kim", "poison")
STEPS = 16


PLAIN = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
"""Arrow has no filter of views yet."""


class KilledError(Exception):
    """The process ends here."""


class Installation:
    """Tables, a receiver, and the processes at work."""

    def __init__(self, spark, shop, seed):
        self.spark, self.shop = spark, shop
        self.choose = random.Random(seed)
        (Path(shop.settings.sources.feeds) / "people.yml").unlink()
        refunds = ORDERS_FEED.replace("source: orders", "source: refunds")
        (Path(shop.settings.sources.feeds) / "refunds.yml").write_text(
            refunds.replace("Order Completed", "Order Refunded")
        )
        soon = timedelta(microseconds=1)
        self.settings = shop.settings.model_copy(
            update={
                "delivery": shop.settings.delivery.model_copy(
                    update={
                        "site": "driver",
                        "slice_rows": 3,
                        "quick": shop.settings.delivery.quick.model_copy(update={"attempts": 1}),
                        "breaker": shop.settings.delivery.breaker.model_copy(
                            update={"failures": 1_000}
                        ),
                    }
                ),
                "retry": shop.settings.retry.model_copy(
                    update={"wait_initial": soon, "wait_max": soon, "wait_min": soon}
                ),
            }
        )
        self.where = layout(self.settings)
        self.runtime = Runtime(settings=self.settings, secrets=shop.secrets)
        self.written = dict.fromkeys(FEEDS, 0)
        self.done = dict.fromkeys(FEEDS, 0)
        self.numbers = dict.fromkeys(FEEDS, 0)
        self.excused = 0
        for feed in FEEDS:
            self.commit(feed)
        self.checked = {}
        for feed in load_feeds(Path(self.settings.sources.feeds)):
            table = locate(feed.source, root=self.settings.sources.root, file=feed.file)
            self.checked[feed.name] = check_feed(
                spark, feed, table, limits=self.settings.limits, begun=False
            )
        self.jobs = {name: self.start(name) for name in (*FEEDS, "drain")}

    def start(self, name):
        """A process begins, and takes over what the one before did not give back."""
        lease = name if name == "drain" else f"deliver/{name}"
        held = leases.acquire(self.spark, self.where, lease, str(random.random()), answer_within=0)
        if name == "drain":
            return Drain(self.runtime, Claim(held))
        return DeliverFeed(self.runtime, Claim(held), self.checked[name], -1)

    def commit(self, feed):
        """Upstream writes, of few people."""
        rows = []
        for _ in range(self.choose.randint(1, 5)):
            self.numbers[feed] += 1
            who = self.choose.choice(PEOPLE)
            number = f"{feed[0]}{self.numbers[feed]:04}"
            rows.append({"order_id": number, "person_id": who, "total": 1.0})
        self.shop.insert(feed, ORDERS, rows)
        self.written[feed] += 1

    def deliver(self, feed):
        """One commit; whoever dies before the checkpoint does it again."""
        version = self.done[feed]
        if version == self.written[feed]:
            return
        changes = read_changes(self.spark, self.checked[feed].table, version, version)
        self.jobs[feed].deliver(changes, origin=books.COMMIT, batch=version)
        self.done[feed] += 1

    def step(self, name):
        """One micro-batch, or one tick."""
        if name == "drain":
            self.jobs[name].tick(self.spark, 0)
        else:
            self.deliver(name)

    def die(self, name, patch, point):
        """One step that a kill ends at *point*; another process takes over."""
        before = self.jobs[name]
        with patch.context() as inner:
            target, attribute, first = {
                "sent_and_not_recorded": (slices.outcomes, "append", True),
                "recorded": (slices.outcomes, "append", False),
                "before_it_took_in": (drain, "take_in", True),
                "taken_in": (drain, "take_in", False),
            }[point]
            original = getattr(target, attribute)

            def dying(*args, **named):
                if attribute == "append" and args[1].isEmpty():  # a slice that nothing fell into
                    return original(*args, **named)
                if not first:
                    original(*args, **named)
                raise KilledError

            inner.setattr(target, attribute, dying)
            try:
                self.step(name)
            except KilledError:
                self.excused += 1
        self.jobs[name] = self.start(name)
        with pytest.raises(leases.LeaseLostError):
            leases.check(self.spark, self.where, before.claim.held)

    def wish(self, verb):
        """An operator asks for something, about any message."""
        ids = sorted({row["message_id"] for row in self.outcomes()})
        if ids:
            about = [(self.choose.choice(ids), "orders")]
            commands.wish_for(self.spark, self.where, verb, about, requested_by="me")

    def compact(self):
        """Upkeep between two steps."""
        DeltaTable(f"{self.where.root}/outcomes").optimize.compact()

    def outcomes(self):
        """Rows of messages, with the commit that they came with, read without the pipeline."""
        return self._messages().to_pylist()

    def _messages(self):
        table = DeltaTable(f"{self.where.root}/outcomes")
        rows = pa.table(table.load_cdf(starting_version=0).read_all())
        plain = pa.schema(
            field.with_type(PLAIN.get(field.type, field.type)) for field in rows.schema
        )
        inserted = pc.field("_change_type") == "insert"
        kept = rows.cast(plain).filter(inserted & pc.field("kind").isin(list(MESSAGE_KINDS)))
        return unpack(kept)

    def check(self):
        """The queue and the barrier are the fold of what is recorded; numbers have no gap."""
        rows = as_fold_rows(self._messages())
        queue = retry_queue.pinned(self.spark, self.where)
        upto = queue.positions.outcomes
        taken_in = [row for row in rows if row.version <= upto]
        assert retry_queue.as_waiting(queue.waiting) == fold({}, taken_in)
        reader = self.jobs["orders"]._reader()
        barrier = reader.read(self.spark, "orders", None)
        assert barrier.barred == barred({}, rows)
        numbers = defaultdict(list)
        for row in sorted(rows, key=lambda row: row.version):
            numbers[row.message_id].append(row.number)
        assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())

    def settle(self):
        """All is well again: deliver everything, drain until nothing waits."""
        self.shop.sandbox.client.clear()
        self.shop.sandbox.client.fail(REFUSED)
        for feed in FEEDS:
            while self.done[feed] < self.written[feed]:
                self.deliver(feed)
        for _ in range(12):
            self.jobs["drain"].tick(self.spark, 0)
            if not fold({}, as_fold_rows(self._messages())):
                return
        raise AssertionError("something waits for ever")


REFUSED = Failure(kind="status", status=400, match=Match(user_id="poison"))
ILLNESSES = (
    Failure(kind="status", status=503, share=0.5),
    Failure(kind="reset", when="after", requests=1),
    Failure(kind="status", status=429, requests=2),
)


@pytest.mark.parametrize("seed", [20261123])
def test_any_order_of_steps_and_crashes_keeps_the_promises(spark, shop, monkeypatch, seed):
    """Spark or Delta would do something else than the lists that the protocol was modelled with."""
    shop.sandbox.client.fail(REFUSED)
    world = Installation(spark, shop, seed)
    world.die("orders", monkeypatch, "sent_and_not_recorded")  # something is sure to come twice
    shop.sandbox.client.fail(ILLNESSES[0])
    names = (*FEEDS, "drain")
    points = {"drain": ("sent_and_not_recorded", "recorded", "before_it_took_in", "taken_in")}
    lost_answers = 0
    for _ in range(STEPS):
        action = world.choose.choice("sssskkkwcuio")
        name = world.choose.choice(names)
        if action == "s":
            world.step(name)
        elif action == "k":
            deaths = points.get(name, ("sent_and_not_recorded", "recorded"))
            world.die(name, monkeypatch, world.choose.choice(deaths))
        elif action == "w":
            verb = world.choose.choice(["retry", "discard", "replay"])
            world.wish(verb)
        elif action in "co":
            world.commit(world.choose.choice(FEEDS))
        elif action == "u":
            world.compact()
        else:
            illness = world.choose.choice(ILLNESSES)
            lost_answers += illness.when == "after"
            shop.sandbox.client.fail(illness)
        world.check()
    world.settle()
    world.check()

    rows = world.outcomes()
    newest = {}
    for row in sorted(rows, key=lambda row: row["number"]):
        newest[row["message_id"]] = row
    kinds = Counter(row["kind"] for row in newest.values())
    assert sum(kinds.values()) == sum(world.numbers.values())
    assert kinds["queued"] == 0
    ended = Counter(row["message_id"] for row in rows if row["kind"] in END)
    replayed = {row["message_id"] for row in rows if row["reason"] == "replay"}
    assert all(count == 1 for i, count in ended.items() if i not in replayed)
    arrived = shop.accepted()
    assert {i for i, row in newest.items() if row["kind"] == "accepted"} <= set(arrived)
    repeated = sum(arrived.values()) - len(arrived)
    tasks = DeltaTable(f"{world.where.root}/outcomes").to_pyarrow_table(columns=["kind", "calls"])
    largest = max(row["calls"] for row in tasks.to_pylist() if row["kind"] == "task")
    assert 0 < repeated <= (world.excused + lost_answers) * largest
    for who in PEOPLE:
        events = shop.sandbox.client.events(who, limit=100)
        for feed, event in zip(FEEDS, ("Order Completed", "Order Refunded"), strict=True):
            firsts = dict.fromkeys(
                one["call"]["properties"]["order_id"]
                for one in events
                if one["event"] == event and one["message_id"] not in replayed
            )
            assert list(firsts) == sorted(firsts), (feed, who)
