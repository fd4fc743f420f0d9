"""The sandbox as a process of its own."""

import http.client
import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from base64 import b64encode
from urllib.parse import urlsplit

import pytest

from pipeline.sandbox.failure import Failure
from pipeline.sandbox.running import running_sandbox


def send(running, *calls, strict=True):
    connection = http.client.HTTPConnection(urlsplit(running.base_url).netloc, timeout=30)
    headers = {"Authorization": "Basic " + b64encode(f"{running.write_key}:".encode()).decode()}
    if strict:
        headers["X-Strict-Mode"] = "1"
    connection.request("POST", "/v1/batch", json.dumps({"batch": calls}), headers)
    status = connection.getresponse().status
    connection.close()
    return status


def track(number, **fields):
    call = {"type": "track", "userId": "u", "event": "e", "messageId": f"m{number:05}"}
    return {**call, **fields}


def test_what_was_answered_survives_a_stop(tmp_path):
    """SIGTERM right after an answer loses nothing, and a restart takes it up."""
    file = tmp_path / "sandbox.db"
    with running_sandbox(database=file) as running:
        suppress = track(3, event="User Suppressed")
        assert send(running, track(1), track(2), suppress) == 200
    connection = sqlite3.connect(file)
    assert connection.execute("SELECT count(*) FROM arrivals").fetchone() == (3,)
    connection.close()
    with running_sandbox(database=file) as running:
        assert send(running, track(1), track(1, userId="v")) == 200
        counts = running.client.counts()
    assert (counts["arrivals"], counts["distinct_message_ids"]) == (5, 3)
    assert (counts["dropped"], counts["by_event"]["e"]) == ({"suppressed": 1}, 4)


def test_stops_while_a_request_hangs():
    """A held connection does not keep it from stopping, nor from stopping well."""
    with running_sandbox(failures=[Failure(kind="timeout")]) as running:
        lost = []

        def ask():
            try:
                send(running, track(1))
            except (http.client.HTTPException, OSError) as error:
                lost.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        while running.client.counts()["requests"] != {"timeout": 1}:
            time.sleep(0.02)
    asking.join(10)
    assert len(lost) == 1


def test_the_client_asks_everything():
    """The synchronous client has each answer that tests need."""
    with running_sandbox() as running:
        client = running.client
        assert client.health()["status"] == "ok"
        group = {"type": "group", "userId": "a/b", "groupId": "g"}
        assert send(running, group, track(1, userId="a/b", messageId="x/y")) == 200
        assert send(running, {"type": "track", "messageId": "bad"}, strict=False) == 200
        assert [person["user_id"] for person in client.people()] == ["a/b"]
        assert client.person("a/b")["events"] == 1
        assert client.person("nobody") is None
        assert [event["message_id"] for event in client.events("a/b")] == ["x/y"]
        assert len(client.message("x/y")) == 1
        assert [m["message_id"] for m in client.message_ids()] == ["bad", "x/y"]
        assert (len(client.objects()), len(client.relationships())) == (1, 1)
        assert [call["dropped"] for call in client.dropped()] == ["invalid"]
        assert [request["calls"] for request in client.requests(limit=1)] == [1]
        client.fail(Failure(kind="status", status=503))
        assert client.failures()[0]["state"] == "active"
        assert send(running, track(2)) == 503
        client.clear()
        assert send(running, track(2)) == 200
        client.reset()
        assert client.counts()["arrivals"] == 0
        with pytest.raises(ValueError, match="limit"):
            client.people(limit="x")


def test_message_ids_in_many_chunks():
    """More ids than one chunk holds all come, each once and in order."""
    with running_sandbox() as running:
        for first in range(0, 45_000, 1_500):
            calls = [track(number) for number in range(first, first + 1_500)]
            assert send(running, *calls) == 200
        ids = [message["message_id"] for message in running.client.message_ids()]
        assert ids == [f"m{number:05}" for number in range(45_000)]
        assert running.client.counts()["distinct_message_ids"] == 45_000


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "pipeline.sandbox", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_refuses_to_start_with_words(tmp_path):
    """No key, a key of another region, a taken port, bad failures: status 2 and the reason."""
    failures = tmp_path / "failures.json"
    failures.write_text('[{"kind": "fire"}]')
    with running_sandbox() as running:
        port = str(urlsplit(running.base_url).port)
        for arguments, words in (
            (["--port", "0"], "needs a write key"),
            (["--port", "0", "--write-key", "sk_eu_1"], "region eu"),
            (["--port", port, "--write-key", "k"], "address already in use"),
            (["--port", "0", "--write-key", "k", "--failures", str(failures)], "fire"),
            (["--port", "0", "--write-key", "k", "--rate-requests", "0"], "rate_requests"),
        ):
            result = run(*arguments)
            assert result.returncode == 2
            assert words in result.stderr


def test_exits_with_zero_when_told_to_stop():
    """Both signals end it with status 0."""
    for number in (signal.SIGTERM, signal.SIGINT):
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.sandbox", "--port", "0", "--write-key", "k"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline().startswith("sandbox listening on http://127.0.0.1:")
        process.send_signal(number)
        assert process.wait(15) == 0
        process.stdout.close()
