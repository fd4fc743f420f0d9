"""Spark runs a task again: because it failed after it had sent, or because its executor is lost."""

from dataclasses import dataclass
from pathlib import Path

from chaos.faults import MARK
from chaos.shop import KEY, POISON, make_shop
from chaos.verify import Verdict, log_tail, rows, verify
from pipeline.sandbox.failure import Failure, Match
from pipeline.sandbox.running import running_sandbox

MASTERS = {"task_fails": "local[2,4]", "executor_dies": "local-cluster[2,1,1024]"}


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of one task that ran twice."""

    verdict: Verdict
    struck: bool
    """The fault happened."""
    largest_task: int

    @property
    def holds(self) -> bool:
        """Nothing lost, and at most one partition was repeated."""
        return self.struck and self.verdict.holds and self.verdict.repeated <= self.largest_task


def retry(folder: Path, fault: str) -> Retried:
    """Deliver once with the fault, then drain what waits."""
    mark = folder / "struck"
    with running_sandbox(write_key=KEY, database=folder / "sandbox.db") as sandbox:
        shop = make_shop(folder, sandbox)
        sandbox.client.fail(Failure(kind="status", status=400, match=Match(user_id=POISON)))
        job = shop.job("deliver")
        more = {"CHAOS_MASTER": MASTERS[fault], MARK: str(mark)}
        job.start(f"{fault}:1", "--available-now", **more)
        status = job.wait(240)
        if status != 0:
            job.kill()
            raise RuntimeError(f"deliver ended with {status}:\n{log_tail(folder, 'deliver')}")
        sandbox.client.counts()
        tasks = [row["calls"] for row in rows(shop, "outcomes", "kind", "calls")
                 if row["kind"] == "task"]  # fmt: skip
        return Retried(verify(shop, kills=1), mark.exists(), max(tasks))
