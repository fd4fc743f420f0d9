"""Customer.io's own clients, for Python and for Node, hold ours: the same calls arrive."""

import json
import shutil
import sqlite3
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from customerio.analytics.client import Client

from pipeline.client import SyncCustomerIO
from pipeline.sandbox.running import RunningSandbox, running_sandbox

NODE = Path(__file__).parent / "node"
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH")
MOMENT = "2024-05-01T10:00:00.000Z"
ITS_OWN = {"messageId", "timestamp", "sentAt", "_metadata"}
"""Fields that each client fills by itself, or with what it knows of itself."""

COMMON = {"timestamp": MOMENT, "context": {"ip": "192.0.2.1"}, "integrations": {"Elsewhere": False}}
OF_A_DEVICE = {**COMMON["context"], "device": {"token": "t", "type": "ios"}}
CALLS: dict[str, dict[str, Any]] = {
    "identify": {"userId": "u", "traits": {"plan": "gold", "n": 1.5, "gone": None}},
    "track": {"userId": "u", "event": "Bought", "properties": {"sku": "\u00fc", "list": [1, {}]}},
    "page": {"userId": "u", "name": "home", "properties": {"url": "/"}},
    "screen": {"userId": "u", "name": "home", "properties": {"tab": 1}},
    "group": {"userId": "u", "groupId": "g", "traits": {"name": "G", "object_type_id": "2"}},
    "alias": {"userId": "u", "previousId": "old"},
    "User Deleted": {"userId": "u"},
    "Device Created or Updated": {"userId": "u", "context": OF_A_DEVICE},
    "Relationship Deleted": {"userId": "u", "properties": {"objectId": "g", "objectTypeId": 2}},
}
ENDPOINTS = ("identify", "track", "page", "screen", "group", "alias")


def full(name: str) -> dict[str, Any]:
    """The call in the API's own words."""
    kind = {"type": name} if name in ENDPOINTS else {"type": "track", "event": name}
    return {**kind, **COMMON, **CALLS[name]}


@pytest.fixture(scope="module")
def running():
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running):
    running.client.reset()
    return running


@pytest.fixture(scope="module")
def node_client(tmp_path_factory):
    """Customer.io's Node client, installed as its lock file says."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed: Customer.io's Node client is not tried here")
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(NODE, folder, dirs_exist_ok=True)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode and any(word in done.stderr for word in UNREACHABLE):
        pytest.skip("no package registry for Node within reach: its client is not tried here")
    assert done.returncode == 0, done.stderr
    return folder


def sent(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    """The calls of all requests, with what their batch says for all of them."""
    sandbox.client.counts()  # all that arrived is in the database then
    with sqlite3.connect(f"file:{sandbox.database}?mode=ro", uri=True) as database:
        bodies = [json.loads(row[0]) for row in database.execute("SELECT body FROM requests")]
    return [
        plain({**shared(body), **call}) for body in bodies for call in body.get("batch", [body])
    ]


def shared(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in ("context", "integrations") if name in body}


def plain(call: dict[str, Any]) -> dict[str, Any]:
    """Without what a client says of itself, and without empty fields, which say nothing."""
    context = {name: value for name, value in call["context"].items() if name != "library"}
    kept = {name: value for name, value in call.items() if name not in ITS_OWN}
    return {
        name: value
        for name, value in {**kept, "context": context}.items()
        if value is not None and value != {}
    }


def by_ours(sandbox: RunningSandbox, name: str) -> list[dict[str, Any]]:
    sandbox.client.reset()
    with SyncCustomerIO(sandbox.write_key, base_url=sandbox.base_url) as cio:
        cio.batch([full(name)])
        assert cio.flush().ok
    return sent(sandbox)


def by_python(sandbox: RunningSandbox, name: str) -> list[dict[str, Any]]:
    sandbox.client.reset()
    client = Client(sandbox.write_key, host=sandbox.base_url, sync_mode=True)
    call = full(name)
    common = {**COMMON, "timestamp": datetime.fromisoformat(MOMENT), "context": call["context"]}
    match call["type"]:
        case "identify":
            client.identify("u", call["traits"], **common)
        case "track":
            client.track("u", call["event"], call.get("properties"), **common)
        case "page":
            client.page("u", None, call["name"], call["properties"], **common)
        case "screen":
            client.screen("u", None, call["name"], call["properties"], **common)
        case "group":
            client.group("u", call["groupId"], call["traits"], **common)
        case "alias":
            client.alias(call["previousId"], "u", **common)
    return sent(sandbox)


@pytest.mark.parametrize("name", CALLS)
def test_ours_sends_what_was_asked(sandbox, name):
    """Both clients could be wrong in the same way."""
    assert by_ours(sandbox, name) == [plain(full(name))]


@pytest.mark.parametrize("name", CALLS)
def test_the_python_client_sends_what_ours_sends(sandbox, name):
    """A person who changes from one client to the other would find other data."""
    assert by_python(sandbox, name) == by_ours(sandbox, name)


def test_the_node_client_sends_what_ours_sends(sandbox, node_client):
    """A person who changes from one client to the other would find other data."""
    request = {
        "host": sandbox.base_url,
        "writeKey": sandbox.write_key,
        "calls": [full(name) for name in CALLS],
    }
    done = subprocess.run(
        [str(shutil.which("node")), "send.mjs"],
        cwd=node_client,
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sent(sandbox) == [call for name in CALLS for call in by_ours(sandbox, name)]
