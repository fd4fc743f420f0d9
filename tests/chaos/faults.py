"""Fault points: wrap the jobs' own functions so that the nth passing of one kills the whole job.

A kill is SIGKILL for every process of the job's session (Python, Java, Spark's workers), as a
machine's end would be: nothing is flushed, released or closed.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

DELIVER = (
    "before_send", "after_send", "during_append", "after_append", "booked", "between_slices",
    "before_checkpoint", "after_checkpoint", "during_commit",
)  # fmt: skip
DRAIN = (
    "before_take_in", "during_take_in", "after_take_in", "command_recorded", "before_send",
    "after_send", "during_append", "after_append", "during_commit",
)  # fmt: skip


ACCEPTED = 200
IN_TASKS = ("before_send", "after_send", "during_append")
"""Points in Spark's workers."""
TASKS = ("task_fails", "executor_dies")
"""Once, in a task that has sent everything: Spark runs it again."""
MARK = "CHAOS_MARK"
"""Names a file: there is one failure, by whoever makes it."""


def kill_session() -> None:
    """SIGKILL to all processes of this session; itself last."""
    own, session = os.getpid(), os.getsid(0)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == own:
            continue
        try:
            if os.getsid(int(entry.name)) == session:
                os.kill(int(entry.name), signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    os.kill(own, signal.SIGKILL)


class Count:
    """Passings of a point, in this process."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def passed(self) -> None:
        """Kill at the nth."""
        self.left -= 1
        if self.left == 0:
            kill_session()


def install(point: str, nth: int) -> None:
    """Wrap what *point* is about. Reaches into the jobs' modules by name: a test's privilege."""
    count = Count(nth)
    if point in {*IN_TASKS, *TASKS}:
        _wrap_tasks(point, nth)
    elif point == "during_commit":
        _during_commit(nth)
    else:
        target, name, before = _drivers()[point]
        original = getattr(target, name)
        setattr(target, name, _wrapped(original, count, before=before))


def _drivers() -> dict[str, tuple[Any, str, bool]]:
    """Where each point of the driver is: an object, a function of it, and before or after it."""
    from pipeline.streams import deliver, drain, obey
    from pipeline.tables import outcomes, take_in

    feed = deliver.DeliverFeed
    return {
        "booked": (feed, "_guard", True),
        "between_slices": (feed, "_learn", True),
        "before_checkpoint": (feed, "__call__", False),
        "after_checkpoint": (feed, "__call__", True),
        "after_append": (outcomes, "append", False),
        "before_take_in": (drain, "take_in", True),
        "during_take_in": (take_in, "_commit", True),
        "after_take_in": (take_in, "_commit", False),
        "command_recorded": (obey.commands, "results", True),
    }


def _wrapped(original: Callable[..., Any], count: Count, *, before: bool) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if before:
            count.passed()
        found = original(*args, **kwargs)
        if not before:
            count.passed()
        return found

    return wrapper


def _during_commit(nth: int) -> None:
    """While the append of a slice is under way: sent, written, or in the middle of the commit."""
    from pipeline.tables import outcomes

    count = Count(nth)
    original = outcomes.append

    def append(*args: Any, **kwargs: Any) -> None:
        def later() -> None:
            time.sleep(0.4)
            count.passed()

        threading.Thread(target=later, daemon=True).start()
        original(*args, **kwargs)

    outcomes.append = append


def _wrap_tasks(point: str, nth: int) -> None:
    """In Spark's workers: the task's function travels to them by reference to this module."""
    from pipeline.streams import slice as slices

    slices.run = partial(_run_in_task, point, nth)


def _run_in_task(
    point: str, nth: int, batches: Iterator[pa.RecordBatch], plan: Any, read: Any
) -> Iterator[pa.RecordBatch]:
    from pipeline.delivery import transport
    from pipeline.streams.slice import run

    count = Count(nth)
    original = transport.HttpTransport.post

    async def post(self: Any, request: Any) -> Any:
        if point == "before_send":
            count.passed()
        answer = await original(self, request)
        if point == "after_send" and getattr(answer, "status", None) == ACCEPTED:
            count.passed()  # what was accepted has no record: it comes again
        return answer

    transport.HttpTransport.post = post  # type: ignore[method-assign]
    try:
        yield from run(batches, plan, read)
    finally:
        transport.HttpTransport.post = original  # type: ignore[method-assign]
    if point in TASKS:
        _fail_task(point)
    if point == "during_append":
        count.passed()  # this task's rows are written, the commit is not made


def _fail_task(point: str) -> None:
    """Fail this task, or kill its executor, once."""
    try:
        Path(os.environ[MARK]).touch(exist_ok=False)
    except FileExistsError:
        return
    if point == "executor_dies":
        daemon = os.getppid()
        java = int(Path(f"/proc/{daemon}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(java, signal.SIGKILL)
        time.sleep(60)
    raise RuntimeError("a task fails after it has sent")
