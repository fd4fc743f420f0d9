"""Webhooks over HTTP on loopback."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import msgspec
import pytest

from pipeline.tables.alerts import Alert
from pipeline.watch.tell import body, post

FIRING = Alert(
    alert="queue.old",
    severity="warning",
    metric="oldest_seconds",
    value=1_000.0,
    expected="at most 15 m",
    detail="12 messages wait",
    feed="orders",
    state="firing",
)


@pytest.fixture
def hook():
    """An address that takes what is posted, and answers as it is told."""
    taken, answers = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            taken.append(msgspec.json.decode(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", taken, answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_alerts_are_posted_in_order_until_one_is_refused(hook):
    """What comes after a refused notice waits: its turn is the next look."""
    url, taken, answers = hook
    answers += [200, 500]
    bodies = [{"n": n} for n in range(3)]
    assert post(url, bodies) == 1
    assert [one["n"] for one in taken] == [0, 1]
    assert post(url, bodies[1:]) == 2


def test_nobody_at_the_address_is_no_error():
    """A webhook that is not there must not end the watch."""
    assert post("http://127.0.0.1:9/hook", [{"n": 1}]) == 0


def test_both_shapes_say_what_and_where_to_read_on(hook):
    """Slack shows text and blocks; others want fields; both link to the runbook."""
    url, taken, _ = hook
    bodies = [body(kind, "prod", FIRING, "https://x#queueold") for kind in ("slack", "generic")]
    assert post(url, bodies) == 2
    slack, generic = taken
    assert slack["text"] == "[prod] WARNING: queue.old of orders"
    assert "<https://x#queueold|What to do>" in slack["blocks"][0]["text"]["text"]
    assert generic["state"] == "firing"
    assert generic["runbook"] == "https://x#queueold"
    assert generic["value"] == 1_000.0
