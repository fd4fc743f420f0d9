"""`make bundle`: the real CLI validates, plans, deploys, runs and destroys against a stand-in.

What the CLI says is shown where it fails. The second plan must show no changes.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from serve import running_workspace
from workspace import Workspace

ROOT = Path(__file__).parents[3]
PATIENCE = 180
"""Seconds for one command: an unreachable host would hang for ever."""


class FailedError(Exception):
    """A step did not do what it should."""


def main() -> int:
    """Each target in a workspace of its own; the exit status."""
    cli = shutil.which("databricks")
    if cli is None:
        sys.stdout.write(
            "skipped: there is no `databricks` on the PATH; what the bundle says is held by "
            "tests/unit/bundles, how it deploys is not tried\n"
        )
        return 0
    try:
        for target in sys.argv[1:] or ("dev", "staging", "prod"):
            with running_workspace() as running:
                _round(cli, running.host, target, running.workspace)
    except FailedError as error:
        sys.stdout.write(f"FAILED: {error}\n")
        return 1
    return 0


def _round(cli: str, host: str, target: str, workspace: Workspace) -> None:
    def run(*words: str) -> str:
        shown = " ".join(words)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "DATABRICKS_HOST": host,
            "DATABRICKS_TOKEN": "stand-in",
            "DATABRICKS_BUNDLE_ROOT": "bundles",
            "DATABRICKS_CONFIG_FILE": os.devnull,
            **{k: v for k, v in os.environ.items() if k.startswith(("UV_", "SSL_", "PIP_"))},
        }
        done = subprocess.run(
            [cli, "bundle", *words, "-t", target],
            cwd=ROOT,
            env=environment,
            timeout=PATIENCE,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise FailedError(f"bundle {shown} -t {target}\n{done.stdout}\n{done.stderr}")
        sys.stdout.write(f"{target}: bundle {shown}: ok\n")
        return done.stdout

    shutil.rmtree(ROOT / "bundles" / ".databricks" / "bundle" / target, ignore_errors=True)
    run("validate", "--strict")
    first = _changes(run("plan", "-o", "json"))
    if not first or set(first.values()) != {"create"}:
        raise FailedError(f"{target}: into an empty workspace the plan is {first}")
    run("deploy", "--auto-approve")
    second = _changes(run("plan", "-o", "json"))
    if second:
        raise FailedError(f"{target}: the second plan shows changes: {second}")
    run("run", "setup")
    run("run", "release", "--params", "feed=orders,version=7")
    run("run", "replay", "--params", "feed=orders,dry_run=false")
    given = [
        {p["name"]: p["value"] for p in run["job_parameters"]} for run in workspace.runs.values()
    ]
    for expected in ({"feed": "orders", "version": "7"}, {"feed": "orders", "dry_run": "false"}):
        if expected not in given:
            raise FailedError(f"{target}: parameters of the runs arrived as {given}")
    _look(workspace, target)
    run("destroy", "--auto-approve")
    left = [*workspace.jobs, *workspace.scopes, *(k for n in workspace.named.values() for k in n)]
    if left:
        raise FailedError(f"{target}: destroy left {left}")
    if workspace.unknown:
        raise FailedError(f"{target}: asked for what the stand-in does not know: "
                          f"{sorted(set(workspace.unknown))}")  # fmt: skip


def _changes(plan: str) -> dict[str, str]:
    """What a plan would do, by resource; `skip` is nothing."""
    parts = json.loads(plan).get("plan", {})
    return {key: one["action"] for key, one in parts.items() if one.get("action") != "skip"}


def _look(workspace: Workspace, target: str) -> None:
    """What arrived in the workspace is what was meant."""
    by_name = {job["settings"]["name"].rpartition("customerio ")[2]: job["settings"]
               for job in workspace.jobs.values()}  # fmt: skip
    status = by_name["deliver"]["continuous"]["pause_status"]
    if status != ("UNPAUSED" if target == "prod" else "PAUSED"):
        raise FailedError(f"{target}: deliver is {status}")
    schema = next(iter(workspace.named["schemas"]))
    held = {g["principal"]: g["privileges"] for g in workspace.grants.get(f"schema/{schema}", [])}
    if target != "dev" and held.get("operations") != ["SELECT", "USE_SCHEMA"]:
        raise FailedError(f"{target}: operations holds {held.get('operations')} on {schema}")
    (readers,) = ({p for p in acl if "@" not in p} for acl in workspace.acls.values())
    if readers != (set() if target == "dev" else {"app-7", "platform"}):
        raise FailedError(f"{target}: {readers} reach the keys")
    parameters = by_name["deliver"]["tasks"][0]["python_wheel_task"]["parameters"]
    if any("${" in word for word in parameters):
        raise FailedError(f"{target}: a reference was not resolved: {parameters}")
    conf = parameters[parameters.index("--conf") + 1]
    if conf not in workspace.files:
        raise FailedError(f"{target}: {conf} was not uploaded")
    wheel = next(one["whl"] for one in by_name["deliver"]["tasks"][0]["libraries"] if "whl" in one)
    if wheel not in workspace.files:
        raise FailedError(f"{target}: {wheel} was not uploaded")


if __name__ == "__main__":
    sys.exit(main())
