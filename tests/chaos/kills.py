"""Kill the jobs with SIGKILL at every step of the way, under load, and restart them each time."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable

from chaos.faults import IN_TASKS
from chaos.shop import KEY, POISON, Job, Shop, environment, make_shop, wish
from chaos.verify import Verdict, log_tail, settled, states, verify
from pipeline.sandbox.failure import Failure, Match
from pipeline.sandbox.running import running_sandbox

SETTLE_SECONDS = 600.0
POINT_SECONDS = 300.0
"""After so long a point that was never passed is replaced by a kill at any moment."""


@dataclass(frozen=True, slots=True)
class Killed:
    """What came of a run of kills."""

    verdict: Verdict
    points: tuple[str, ...]
    """Job and point of each kill; `any_moment` where its point was not passed in time."""
    reconciled: bool
    """`pipeline reconcile` exits 0 in the end."""
    upkeep: int = 0
    """Compactions of the jobs' tables meanwhile."""
    maintained: bool = True
    """`pipeline maintain` (OPTIMIZE, retention, VACUUM) did its work while both jobs ran."""

    @property
    def holds(self) -> bool:
        """Whether every promise held."""
        return self.verdict.holds and self.reconciled and self.maintained


def kill_all(
    folder: Path,
    deliver: Sequence[str],
    drain: Sequence[str],
    *,
    seed: int = 0,
    point_seconds: float = POINT_SECONDS,
    maintain: bool = False,
) -> Killed:
    """Pass through the points of each job, one kill each, the two jobs beside each other."""
    with running_sandbox(write_key=KEY, database=folder / "sandbox.db") as sandbox:
        shop = make_shop(folder, sandbox, seed)
        sandbox.client.fail(Failure(kind="status", status=400, match=Match(user_id=POISON)))
        sandbox.client.fail(Failure(kind="status", status=503, share=0.25))
        jobs = {"deliver": shop.job("deliver"), "drain": shop.job("drain")}
        points: list[str] = []
        shop.upstream.run()
        over = threading.Event()
        upkeep: list[str] = []
        operator = threading.Thread(target=_operate, args=(shop, over, upkeep))
        operator.start()
        try:
            lanes = [
                threading.Thread(
                    target=_pass, args=(jobs[name], faults, points, seed, point_seconds)
                )
                for name, faults in (("deliver", deliver), ("drain", drain))
            ]
            for lane in lanes:
                lane.start()
            while maintain and not points and any(lane.is_alive() for lane in lanes):
                time.sleep(0.5)  # the tables are there once a job was killed at work
            # Status 1: something was put off, such as drain's own part while drain is dead.
            maintained = not maintain or asked(shop, "maintain") in {0, 1}
            for lane in lanes:
                lane.join()
            over.set()
            shop.upstream.end()
            sandbox.client.clear()
            sandbox.client.fail(Failure(kind="status", status=400, match=Match(user_id=POISON)))
            _settle(shop, jobs)
            statuses = [job.stop() for job in jobs.values()]
        finally:
            over.set()
            shop.upstream.over.set()
            operator.join()
            for job in jobs.values():
                if job.process is not None and job.process.poll() is None:
                    job.kill()
        return Killed(
            verify(shop, len(points)),
            tuple(points),
            statuses == [0, 0] and asked(shop, "reconcile") == 0,
            len(upkeep),
            maintained,
        )


def _pass(
    job: Job, faults: Sequence[str], points: list[str], seed: int, point_seconds: float
) -> None:
    """Start, wait for the kill, start again; the last start is without a fault."""
    choose = random.Random(f"{seed}/{job.name}")
    for fault in faults:
        # A task counts for itself, so there the first passing is the only one that is sure to come.
        nth = 1 if fault in IN_TASKS else choose.randint(1, 2)
        job.start(f"{fault}:{nth}")
        status = job.wait(point_seconds)
        if status is None:
            job.kill()
            points.append(f"{job.name}: any_moment ({fault})")
        elif status == -9:
            points.append(f"{job.name}: {fault}")
        else:
            raise RuntimeError(
                f"{job.name} ended with {status}, not killed:\n{log_tail(job.folder, job.name)}"
            )
    job.start()


def _operate(shop: Shop, over: threading.Event, upkeep: list[str]) -> None:
    """Somebody who asks for retries of what waits, and compacts the jobs' tables under them."""
    while not over.wait(4):
        for name in ("outcomes", "retry_queue", "leases"):
            with suppress(Exception):  # not there yet, or overtaken: then it is not done
                table = DeltaTable(str(shop.folder / "tables" / name))
                if table.optimize.compact()["numFilesRemoved"]:
                    upkeep.append(name)
                table.vacuum(retention_hours=168, dry_run=False)
        with suppress(Exception):  # the tables may not be there yet
            waiting = [i for i, one in states(shop).items() if one[2][-1][1] == "queued"]
            if waiting:
                wish(shop.folder, "retry", waiting[0])


def _settle(shop: Shop, jobs: dict[str, Job]) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS
    while not settled(shop):
        for job in jobs.values():
            if job.wait(0) is not None:
                raise RuntimeError(f"{job.name} ended:\n{log_tail(job.folder, job.name)}")
        if time.monotonic() > deadline:
            return  # the verdict says what is missing
        time.sleep(2)


def asked(shop: Shop, command: str) -> int:
    """The exit status of one of the user's own commands."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", command, "--conf", str(shop.conf)],
        env=environment(),
        capture_output=True,
        check=False,
    )
    with (shop.folder / f"{command}.log").open("ab") as log:
        log.write(done.stdout + done.stderr)
    return done.returncode
