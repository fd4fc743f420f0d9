"""Jobs in processes of their own: started, watched, stopped."""

import os
import time
from pathlib import Path

import pytest

from pipeline.demo.children import Child, ChildError, running, wait_for_tables

STEADY = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("conf", sys.argv[2], "up", flush=True)
time.sleep(60)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""
BROKEN = "print('the key is missing'); raise SystemExit(2)"


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with three jobs, as the working directory."""
    (tmp_path / "jobs").mkdir()
    for name, text in (("steady", STEADY), ("stubborn", STUBBORN), ("broken", BROKEN)):
        (tmp_path / "jobs" / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def until_up(child: Child) -> None:
    end = time.monotonic() + 10
    while "up" not in child.log.read_text() and time.monotonic() < end:
        time.sleep(0.02)


def test_a_job_that_is_asked_to_stop_ends_with_status_0(jobs: Path) -> None:
    """SIGTERM is enough, and the job was given its settings file."""
    with running("steady", Path("local.yml"), jobs, {}) as child:
        until_up(child)
        child.check()
        child.ask_to_stop()
        assert child.stopped() == 0

    assert (jobs / "steady.log").read_text().split() == ["conf", "local.yml", "up"]


def test_no_job_outlives_the_show(jobs: Path) -> None:
    """However the block is left, also by Ctrl-C."""
    with (  # noqa: PT012  what the block leaves behind is tested
        pytest.raises(KeyboardInterrupt),
        running("steady", Path("local.yml"), jobs, {}) as child,
    ):
        until_up(child)
        raise KeyboardInterrupt

    assert child.process.poll() == 0


def test_a_job_that_does_not_stop_is_killed(jobs: Path) -> None:
    """Patience ends, so that the show can."""
    with running("stubborn", Path("local.yml"), jobs, {}) as child:
        until_up(child)
        child.ask_to_stop()
        assert child.stopped(seconds=0.2) < 0


def test_a_job_is_out_of_reach_of_the_terminals_signals(jobs: Path) -> None:
    """Ctrl-C goes to a whole session: the jobs are stopped by the show, once."""
    with running("steady", Path("local.yml"), jobs, {}) as child:
        assert os.getsid(child.process.pid) != os.getsid(0)


def test_a_job_that_ends_early_is_shown_with_its_last_words(jobs: Path) -> None:
    """Who watches sees why, without looking for a log."""
    with running("broken", Path("local.yml"), jobs, {}) as child:
        child.process.wait(10)
        with pytest.raises(ChildError, match="status 2") as refused:
            child.check()
        with pytest.raises(ChildError):
            wait_for_tables(child, jobs / "tables")

    assert "the key is missing" in str(refused.value)
    assert str(child.log) in str(refused.value)


def test_waiting_for_tables_has_an_end(jobs: Path) -> None:
    """A job that lives but makes nothing is not waited for without end."""
    with (
        running("steady", Path("local.yml"), jobs, {}) as child,
        pytest.raises(ChildError, match="no tables"),
    ):
        wait_for_tables(child, jobs / "tables", seconds=0.1)
