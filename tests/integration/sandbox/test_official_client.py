"""Customer.io's own Python client talks to the sandbox."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from customerio.analytics.client import Client

from pipeline.sandbox.failure import Failure
from pipeline.sandbox.running import RunningSandbox, running_sandbox

MOMENT = datetime(2024, 5, 1, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def errors():
    return []


@pytest.fixture(params=[False, True], ids=["plain", "gzip"])
def client(request, running, errors):
    running.client.reset()
    client = Client(
        running.write_key,
        host=running.base_url,
        gzip=request.param,
        max_retries=1,
        on_error=lambda error, _batch: errors.append(error),
    )
    yield client
    client.join()


def test_what_arrives_is_what_was_sent(running, client, errors):
    """Each kind of call, after a flush, is there as the client built it."""
    common = {"timestamp": MOMENT, "context": {"ip": "192.0.2.1"}}
    sent = [
        client.identify("u", {"plan": "gold", "n": 1.5}, message_id="1", **common),
        client.track("u", "Bought", {"sku": "\u00fc"}, message_id="2", **common),
        client.page("u", "shop", "home", {"url": "/"}, message_id="3", **common),
        client.screen("u", "shop", "home", {"tab": 1}, message_id="4", **common),
        client.group("u", "g", {"name": "G"}, message_id="5", **common),
        client.alias("old", "u", message_id="6", **common),
    ]
    client.flush()
    assert errors == []
    for queued, message in sent:
        assert queued
        (arrival,) = running.client.message(message["messageId"])
        assert arrival["call"] == message
        assert arrival["dropped"] is None
    person = running.client.person("u")
    assert person["attributes"] == {"plan": "gold", "n": 1.5}
    assert person["events"] == 3
    assert [related["object_id"] for related in person["relationships"]] == ["g"]
    by_type = running.client.counts()["by_type"]
    assert by_type == dict.fromkeys(["alias", "group", "identify", "page", "screen", "track"], 1)


def test_it_retries_what_fails(running, client, errors):
    """A 503 is tried again by the client, and arrives once."""
    running.client.fail(Failure(kind="status", status=503, requests=1))
    client.track("u", "Bought", message_id="1")
    client.flush()
    assert errors == []
    counts = running.client.counts()
    assert counts["requests"] == {"200": 1, "503": 1}
    assert (counts["arrivals"], counts["repeats"]) == (1, 0)


def test_a_wrong_key_is_silent_for_it(running, errors):
    """The client has no strict mode: a wrong key looks like success, and all is lost."""
    running.client.reset()
    client = Client(
        "wrong", host=running.base_url, on_error=lambda error, _batch: errors.append(error)
    )
    client.track("u", "Bought", message_id="1")
    client.shutdown()
    assert errors == []
    assert running.client.counts()["dropped"] == {"wrong_key": 1}


def test_a_key_that_names_its_region():
    """Such keys go as bearer tokens, and are let in."""
    with running_sandbox(write_key="sk_eu_0123", region="eu") as sandbox:
        client = Client(sandbox.write_key, host=sandbox.base_url, sync_mode=True)
        client.track("u", "Bought", message_id="1")
        assert sandbox.client.counts()["applied"] == 1
        assert sandbox.client.health()["region"] == "eu"
