"""Both faces of the client against a sandbox in strict mode."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline.client import (
    CallRefusedError,
    CustomerIO,
    Options,
    SpoolError,
    SyncCustomerIO,
    UndeliveredError,
)
from pipeline.core.api.ecommerce import OrderCompleted
from pipeline.core.cipher import keyring
from pipeline.sandbox.failure import Failure
from pipeline.sandbox.running import running_sandbox
from pipeline.settings import Breaker, Client, Delivery, QuickAttempts

KEYS = keyring(b"k" * 32)
FAST = Options(
    client=Client(linger=timedelta(milliseconds=20)),
    delivery=Delivery(
        quick=QuickAttempts(attempts=1),
        breaker=Breaker(probe_initial=timedelta(milliseconds=50)),
    ),
)


@pytest.fixture(scope="module")
def running():
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running):
    running.client.reset()
    return running


def test_what_a_notebook_does_is_there(sandbox):
    """A person would call a method and find nothing of it in Customer.io."""
    with SyncCustomerIO(sandbox.write_key, base_url=sandbox.base_url) as cio:
        cio.identify("1", {"email": "ada@example.org", "plan": "gold"})
        cio.track("1", OrderCompleted, {"order_id": "A-1", "total": 12.5})
        cio.add_device("1", "token", "ios")
        cio.relate("1", "acme", object_type_id=2, attributes={"role": "admin"})
        cio.delete("2")
        cio.alias("0", "1")
        result = cio.flush()
        assert (result.accepted, result.ok) == (6, True)
    person = sandbox.client.person("1")
    assert person["attributes"] == {"email": "ada@example.org", "plan": "gold"}
    assert [device["token"] for device in person["devices"]] == ["token"]
    (related,) = person["relationships"]
    assert (related["object_id"], related["attributes"]) == ("acme", {"role": "admin"})
    assert sandbox.client.counts()["dropped"] == {}


async def test_calls_are_sent_without_a_flush(sandbox):
    """In a long-running process a call would lie around until the next one."""
    async with CustomerIO(sandbox.write_key, base_url=sandbox.base_url, options=FAST) as cio:
        id_ = await cio.track("1", "Bought")
        async with asyncio.timeout(10):
            while not await asyncio.to_thread(sandbox.client.message, id_):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert (await cio.flush()).accepted == 1


async def test_an_outage_between_is_overcome_in_order(sandbox):
    """Calls would be lost or overtake each other while the API fails."""
    sandbox.client.fail(Failure(kind="status", status=503, requests=3))
    async with CustomerIO(sandbox.write_key, base_url=sandbox.base_url, options=FAST) as cio:
        for place in range(50):
            await cio.track("1", f"{place}")
        async with asyncio.timeout(10):
            while not (await cio.flush()).ok:  # noqa: ASYNC110  the sandbox decides
                await asyncio.sleep(0.02)
    events = sandbox.client.events("1")
    assert [event["event"] for event in events] == [f"{place}" for place in range(50)]


async def test_a_storm_of_failures_loses_nothing_and_keeps_everybodys_order(sandbox):
    """With lanes beside each other and failures between, calls could be lost or overtake."""
    chance = random.Random(1)
    people, count = 20, 2000
    options = replace(FAST, client=Client(linger=timedelta(milliseconds=10), round_calls=100))
    async with CustomerIO(sandbox.write_key, base_url=sandbox.base_url, options=options) as cio:
        for place in range(count):
            if place % 200 == 0:
                kind = chance.choice(["reset", "status"])
                status = 503 if kind == "status" else None
                when = chance.choice(["before", "after"])
                lost = Failure(kind=kind, status=status, when=when, requests=chance.randint(1, 6))
                sandbox.client.fail(lost)
            await cio.track(f"{place % people}", f"{place}")
        async with asyncio.timeout(60):
            while not (await cio.flush()).ok:  # noqa: ASYNC110  the sandbox decides
                await asyncio.sleep(0.02)
    assert sandbox.client.counts()["distinct_message_ids"] == count
    assert sandbox.client.counts()["requests"].keys() > {"200"}
    for person in range(people):
        events = sandbox.client.events(f"{person}", limit=1000)
        first = list(dict.fromkeys(int(event["event"]) for event in events))
        assert first == list(range(person, count, people))


async def test_many_calls_share_requests(sandbox):
    """The rate limit would be used up by requests of one call."""
    async with CustomerIO(sandbox.write_key, base_url=sandbox.base_url) as cio:
        calls = [{"type": "track", "userId": f"{n % 9}", "event": "e"} for n in range(3000)]
        assert len(await cio.batch(calls)) == 3000
        result = await cio.flush()
    assert result.accepted == 3000
    assert result.requests <= 20


async def test_a_batch_with_one_bad_call_is_not_taken_at_all(sandbox):
    """Half of a batch would be sent, and its repeat would send that half again."""
    good, bad = {"type": "track", "userId": "1", "event": "e"}, {"type": "track", "event": "e"}
    async with CustomerIO(sandbox.write_key, base_url=sandbox.base_url) as cio:
        with pytest.raises(CallRefusedError, match="userId"):
            await cio.batch([good, bad])
        assert (await cio.flush()).accepted == 0


def test_leaving_with_a_wrong_key_is_told(sandbox):
    """All calls would be lost in silence."""
    with (
        pytest.raises(UndeliveredError, match="is it the write key"),
        SyncCustomerIO("wrong", base_url=sandbox.base_url) as cio,
    ):
        cio.track("1", "Bought")


def test_a_failure_of_the_block_stays_the_one_that_is_seen(sandbox):
    """Somebody would look for a delivery problem instead of their own mistake."""
    key, url = "wrong", sandbox.base_url
    with pytest.raises(ZeroDivisionError), SyncCustomerIO(key, base_url=url) as cio:
        int(cio.track("1", "Bought") == "") / 0


def test_a_closed_client_says_so(sandbox):
    """A cell that runs after the last one would hang."""
    cio = SyncCustomerIO(sandbox.write_key, base_url=sandbox.base_url)
    cio.close()
    cio.close()
    with pytest.raises(RuntimeError, match="closed"):
        cio.track("1", "Bought")


def test_a_spool_outlives_the_process_that_filled_it(sandbox, tmp_path):
    """Calls made while the API is away would be gone with the notebook."""
    nowhere = "http://127.0.0.1:9"
    with SyncCustomerIO("key", base_url=nowhere, spool=tmp_path, keys=KEYS, options=FAST) as cio:
        ids = [cio.track("1", f"{place}") for place in range(5)]
        assert cio.flush().spooled == 5
    key, url = sandbox.write_key, sandbox.base_url
    with SyncCustomerIO(key, base_url=url, spool=tmp_path, keys=KEYS, options=FAST) as cio:
        cio.track("1", "5")
        while not cio.flush().ok:
            pass
    events = sandbox.client.events("1")
    assert [event["event"] for event in events] == list("012345")
    assert [event["message_id"] for event in events][:5] == ids


def test_two_clients_with_one_spool_are_refused(sandbox, tmp_path):
    """Both would send what is in it, or the second would hang without a word."""
    key, url = sandbox.write_key, sandbox.base_url
    with (
        SyncCustomerIO(key, base_url=url, spool=tmp_path, keys=KEYS),
        pytest.raises(SpoolError, match="another process"),
    ):
        SyncCustomerIO(key, base_url=url, spool=tmp_path, keys=KEYS)
