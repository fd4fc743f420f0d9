"""`pipeline spool`, as somebody runs it after an outage; and a flush that is killed."""

import base64
import json
import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from pipeline.cli import main
from pipeline.client import Options, SyncCustomerIO
from pipeline.client.spool import listed
from pipeline.core.cipher import keyring
from pipeline.sandbox.running import running_sandbox
from pipeline.settings import Client, Delivery, QuickAttempts

KEY = b"k" * 32
NOWHERE = "http://127.0.0.1:9"
FILES = 6
CALLS = 5

KILLED = """
import os, signal, sys
from pipeline.cli import main
from pipeline.client.spool import Spool
settle, settled = Spool.settle, []
def dies(self, file, left, **more):
    settled.append(file)
    if len(settled) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    settle(self, file, left, **more)
Spool.settle = dies
main(sys.argv[1:])
"""
"""A flush that dies when the third request was accepted and nothing of it is written down yet."""


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox() as running:
        yield running


@pytest.fixture
def folder(tmp_path):
    """A spool of a few files, as an outage leaves it; with the ids of its calls."""
    options = Options(
        delivery=Delivery(quick=QuickAttempts(attempts=1)),
        client=Client(spool=str(tmp_path), linger=timedelta(minutes=1)),
    )
    with SyncCustomerIO("key", base_url=NOWHERE, keys=keyring(KEY), options=options) as cio:
        for file in range(FILES):
            for call in range(CALLS):
                cio.track("1", f"{file}.{call}")
            cio.flush()
    assert [file.calls for file in listed(tmp_path)] == [CALLS] * FILES
    return tmp_path


@pytest.fixture
def conf(sandbox, tmp_path, monkeypatch):
    """A target's settings, its keys in the environment."""
    sandbox.client.reset()
    file = tmp_path / "test.yml"
    place = {"root": str(tmp_path / "tables"), "checkpoints": str(tmp_path / "checkpoints")}
    file.write_text(json.dumps({"destination": {"base_url": sandbox.base_url}, "tables": place}))
    secret = base64.b64encode(KEY).decode()
    monkeypatch.setenv("PIPELINE_API_KEY", sandbox.write_key)
    monkeypatch.setenv("PIPELINE_ENCRYPTION_KEY", secret)
    monkeypatch.setenv("PIPELINE_HASHING_KEY", secret)
    return file


@pytest.fixture
def run(conf, capsys):
    """Run a command; its status, what it printed, and what it refused."""

    def begin(*arguments):
        try:
            main(["spool", *arguments, "--conf", str(conf)])
            status = 0
        except SystemExit as end:
            status = end.code
        said = capsys.readouterr()
        return status, said.out, said.err

    return begin


def test_a_killed_flush_repeats_at_most_one_request(sandbox, folder, conf, run):
    """A kill would lose calls, send many of them twice, or give them other ids."""
    command = [sys.executable, "-c", KILLED, "spool", "flush", "--folder", str(folder)]
    killed = subprocess.run(
        [*command, "--conf", str(conf)], capture_output=True, timeout=60, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert sandbox.client.counts()["arrivals"] == 3 * CALLS
    status, said, _ = run("flush", "--folder", str(folder))
    assert status == 0
    assert f"{(FILES - 2) * CALLS} accepted" in said
    counts = sandbox.client.counts()
    assert counts["distinct_message_ids"] == FILES * CALLS
    assert counts["repeats"] == CALLS
    first = [f"{file}.{call}" for file in range(FILES) for call in range(CALLS)]
    arrived = [event["event"] for event in sandbox.client.events("1")]
    assert list(dict.fromkeys(arrived)) == first


def test_it_lists_and_sends_what_is_there_once(sandbox, folder, run, monkeypatch):
    """Somebody could not see what waits, or would send it twice."""
    _, listing, _ = run("list", "--json", "--folder", str(folder))
    assert [file["calls"] for file in json.loads(listing)] == [CALLS] * FILES
    with monkeypatch.context() as away:
        away.setenv("PIPELINE__DESTINATION__BASE_URL", NOWHERE)
        status, said, _ = run("flush", "--folder", str(folder))
    assert status == 1
    assert f"{FILES * CALLS} spooled" in said
    assert run("flush", "--folder", str(folder))[0] == 0
    assert run("flush", "--folder", str(folder))[1].startswith("0 accepted")
    assert sandbox.client.counts()["arrivals"] == FILES * CALLS
    assert "nothing waits" in run("list", "--folder", str(folder))[1]


def test_it_says_what_is_missing(folder, run, monkeypatch):
    """A traceback would not say what to do."""
    monkeypatch.setenv("PIPELINE_ENCRYPTION_KEY", base64.b64encode(b"o" * 32).decode())
    status, said, refusal = run("flush", "--folder", str(folder))
    assert (status, said) == (2, "")
    assert "add the older key" in refusal
    status, _, refusal = run("list")
    assert status == 2
    assert "client.spool: names no folder" in refusal
