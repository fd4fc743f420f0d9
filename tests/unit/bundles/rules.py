"""What `databricks bundle validate --strict` lets through, and this project does not.

A rule takes a resolved target and yields what is wrong, in words. `test_rules.py` breaks each.
"""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from functools import cache
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from typer.main import get_command

from pipeline.cli import app
from pipeline.tables.session import INLINE, KEEP_MEMORY

from .load import FILES, Bundle

Found = Iterator[str]
FIELDS = (  # Quartz: name, lowest, highest, names
    ("seconds", 0, 59, ""),
    ("minutes", 0, 59, ""),
    ("hours", 0, 23, ""),
    ("day of month", 1, 31, ""),
    ("month", 1, 12, "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"),
    ("day of week", 1, 7, "SUN MON TUE WED THU FRI SAT"),
    ("year", 1970, 2099, ""),
)
NOTICES = {
    "RUN_DURATION_SECONDS": "on_duration_warning_threshold_exceeded",
    "STREAMING_BACKLOG_BYTES": "on_streaming_backlog_exceeded",
    "STREAMING_BACKLOG_FILES": "on_streaming_backlog_exceeded",
    "STREAMING_BACKLOG_RECORDS": "on_streaming_backlog_exceeded",
    "STREAMING_BACKLOG_SECONDS": "on_streaming_backlog_exceeded",
}
STREAMS = ("deliver", "drain")


def continuous_runs_alone(bundle: Bundle) -> Found:
    """Continuous mode restarts by itself; it has no schedule, retries or dependencies."""
    for key, job in _jobs(bundle):
        if "continuous" not in job:
            continue
        for other in ("schedule", "trigger", "triggers"):
            if other in job:
                yield f"job {key}: continuous, and a {other}"
        for task in job["tasks"]:
            for other in ("max_retries", "retry_on_timeout", "min_retry_interval_millis"):
                if other in task:
                    yield f"job {key}: continuous, and task {task['task_key']} has {other}"
            if task.get("depends_on"):
                yield f"job {key}: continuous, and task {task['task_key']} depends on another"


def dependencies_exist(bundle: Bundle) -> Found:
    """A task waits for a task of its own job."""
    for key, job in _jobs(bundle):
        tasks = {task["task_key"] for task in job["tasks"]}
        for task in job["tasks"]:
            for one in task.get("depends_on", ()):
                if one["task_key"] not in tasks:
                    yield f"job {key}: {task['task_key']} depends on {one['task_key']}, not there"


def schedules_are_quartz(bundle: Bundle) -> Found:
    """Six or seven fields in range, and exactly one of the two days is a question mark."""
    for where, schedule in _schedules(bundle):
        # Alerts and jobs have different words for the same.
        name = "quartz_cron_schedule" if where.startswith("alerts ") else "quartz_cron_expression"
        text = str(schedule.get(name, ""))
        for problem in _quartz(text):
            yield f"{where}: {text!r}: {problem}"


def entry_points_are_ours(bundle: Bundle) -> Found:
    """A wheel task names this package and one of its scripts."""
    project = tomllib.loads((bundle.root / "pyproject.toml").read_text())["project"]
    for key, task in _tasks(bundle):
        wheel = task.get("python_wheel_task")
        if wheel is None:
            continue
        if wheel["entry_point"] not in project["scripts"]:
            yield f"job {key}: entry point {wheel['entry_point']} is not in [project.scripts]"
        if wheel["package_name"] != project["name"]:
            yield f"job {key}: package {wheel['package_name']} is not {project['name']}"


def environments_are_defined(bundle: Bundle) -> Found:
    """A serverless task names an environment of its job."""
    for key, job in _jobs(bundle):
        defined = {one["environment_key"] for one in job.get("environments") or ()}
        for task in job["tasks"]:
            if task.get("environment_key", next(iter(defined), None)) not in defined | {None}:
                yield f"job {key}: environment {task['environment_key']} is not defined"


def files_are_synced(bundle: Bundle) -> Found:
    """What is named below the workspace's folder of files is in the repository, and synced."""
    base = bundle.root / "bundles"
    synced = [(base / path).resolve() for path in bundle.content["sync"]["paths"]]
    for where, text in _strings(bundle.content["resources"], "resources"):
        for name in re.findall(rf"{FILES}/([^\s,]+)", text):
            path = (bundle.root / name).resolve()
            if not path.exists():
                yield f"{where}: there is no {name}"
            elif not any(path.is_relative_to(one) for one in synced):
                yield f"{where}: {name} is in none of sync.paths"


def dev_starts_nothing(bundle: Bundle) -> Found:
    """A stream that a deploy to dev started would send a developer's rows."""
    if bundle.target != "dev":
        return
    for kind in ("jobs", "alerts"):
        for key, resource in bundle.all(kind).items():
            for trigger in ("continuous", "schedule", "trigger"):
                if (resource.get(trigger) or {}).get("pause_status") == "UNPAUSED":
                    yield f"{kind} {key}: {trigger} would start in dev"
            if resource.get("triggers"):
                yield f"{kind} {key}: dev mode pauses no triggers (plural)"


def descriptions_are_docstrings(bundle: Bundle) -> Found:
    """What a job says of itself in the workspace is what its code says of itself."""
    for key, job in _jobs(bundle):
        script = bundle.root / "jobs" / f"{key}.py"
        if script.exists():
            expected = ast.get_docstring(ast.parse(script.read_text()))
        else:
            expected = _help(job["tasks"][0])
        if expected is not None and job.get("description") != " ".join(expected.split()):
            said = job.get("description")
            yield f"job {key}: description is {said!r}, its code says {expected!r}"


def commands_exist(bundle: Bundle) -> Found:
    """Each task's parameters are a command of the CLI with options that it has."""
    for key, task in _tasks(bundle):
        try:
            command, rest = _command(task)
        except LookupError as error:
            yield f"job {key}: {error}"
            continue
        options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
        for word in rest:
            name = word.split("=")[0]
            if name.startswith("-") and name not in options:
                yield f"job {key}: `pipeline {command.name}` has no option {name}"


def parameters_arrive(bundle: Bundle) -> Found:
    """Each parameter of a job is one word of a task, so that an empty one is not given."""
    for key, job in _jobs(bundle):
        declared = {one["name"] for one in job.get("parameters", ())}
        used: set[str] = set()
        for task in job["tasks"]:
            for word in task["python_wheel_task"]["parameters"]:
                named = re.findall(r"{{job\.parameters\.([^}]*)}}", word)
                used.update(named)
                if named and not re.fullmatch(r"--[a-z][a-z-]*={{[^{}]*}}", word):
                    yield f"job {key}: {word!r} is not --option={{{{job.parameters.name}}}}"
        for name in sorted(declared ^ used):
            yield f"job {key}: parameter {name} is {'not used' if name in declared else 'unknown'}"


def settings_can_be_set(bundle: Bundle) -> Found:
    """Each `--set` names a setting that there is."""
    from pipeline.settings import Settings

    for key, task in _tasks(bundle):
        words = task["python_wheel_task"]["parameters"]
        for flag, text in pairwise(words):
            for part in text.split(",") if flag == "--set" else ():
                fields: Any = Settings.model_fields
                for step in part.split("=")[0].split("."):
                    if step not in fields:
                        yield f"job {key}: --set {part.split('=')[0]}: there is no such setting"
                        break
                    fields = getattr(fields[step].annotation, "model_fields", {})


def versions_are_locked(bundle: Bundle) -> Found:
    """A version that the bundle pins is the one that the tests ran with."""
    locked = dict(_pins((bundle.root / "requirements.lock").read_text()))
    texts = [text for _, text in _strings(bundle.content, "")]
    named = set(re.findall(rf"{FILES}/(\S+\.txt)", "\n".join(texts)))
    texts += [(bundle.root / file).read_text() for file in named]
    for name, version in sorted(_pins("\n".join(texts))):
        if locked.get(name) != version:
            yield f"{name}=={version}, the lock has {locked.get(name)}; make bundle-requirements"


def serverless_ends(bundle: Bundle) -> Found:
    """Serverless compute has no endless triggers, and its tasks have no network."""
    for key, job in _jobs(bundle):
        for task in job["tasks"]:
            words = task["python_wheel_task"]["parameters"]
            if "job_cluster_key" in task or not set(STREAMS) & set(words):
                continue
            if "continuous" in job:
                yield f"job {key}: continuous, on serverless compute"
            if "--available-now" not in words:
                yield f"job {key}: on serverless compute, without --available-now"
            if "delivery.site=driver" not in words:
                yield f"job {key}: on serverless compute, without delivery.site=driver"


def clusters_fit(bundle: Bundle) -> Found:
    """Streams do not autoscale; a speculative copy of a task sends twice; no file has the keys.

    And workers keep their memory.
    """
    for key, job in _jobs(bundle):
        for one in job.get("job_clusters", ()):
            cluster = one["new_cluster"]
            if "autoscale" in cluster:
                yield f"job {key}: autoscale"
            if cluster.get("spark_conf", {}).get("spark.speculation") != "false":
                yield f"job {key}: spark.speculation is not false"
            if INLINE.items() - cluster.get("spark_conf", {}).items():
                yield f"job {key}: large functions of tasks, with keys in them, go to a file"
            if KEEP_MEMORY.items() - cluster.get("spark_env_vars", {}).items():
                yield f"job {key}: workers give their memory back after each slice"
            if cluster.get("data_security_mode") != "SINGLE_USER":
                yield f"job {key}: not in dedicated access mode, tasks may have no network"
        if job.get("max_concurrent_runs") != 1:
            yield f"job {key}: more than one run at a time"


def health_is_told(bundle: Bundle) -> Found:
    """A health rule alone notifies nobody."""
    for key, job in _jobs(bundle):
        told = {**job.get("webhook_notifications", {}), **job.get("email_notifications", {})}
        for rule in job.get("health", {}).get("rules", ()):
            if NOTICES[rule["metric"]] not in told:
                yield f"job {key}: {rule['metric']} without {NOTICES[rule['metric']]}"


def keys_are_not_shared(bundle: Bundle) -> Found:
    """The bundle's own `permissions` reach the secret scope, where CAN_VIEW becomes READ."""
    for one in bundle.content.get("permissions", ()):
        if one["level"] == "CAN_VIEW":
            yield f"permissions: CAN_VIEW for {one} lets them read the keys"


RULES: tuple[Callable[[Bundle], Found], ...] = (
    continuous_runs_alone,
    dependencies_exist,
    schedules_are_quartz,
    entry_points_are_ours,
    environments_are_defined,
    files_are_synced,
    dev_starts_nothing,
    descriptions_are_docstrings,
    commands_exist,
    parameters_arrive,
    settings_can_be_set,
    versions_are_locked,
    serverless_ends,
    clusters_fit,
    health_is_told,
    keys_are_not_shared,
)


def _jobs(bundle: Bundle) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from bundle.all("jobs").items()


def _tasks(bundle: Bundle) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, job in _jobs(bundle):
        for task in job["tasks"]:
            yield key, task


def _schedules(bundle: Bundle) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("jobs", "alerts"):
        for key, resource in bundle.all(kind).items():
            if "schedule" in resource:
                yield f"{kind} {key}", resource["schedule"]


def _strings(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _strings(inner, f"{where}[{number}]")
    elif isinstance(value, str):
        yield where, value


def _command(task: dict[str, Any]) -> tuple[Any, list[str]]:
    """The command that a task's parameters name, and the words after it."""
    words = list(task["python_wheel_task"]["parameters"])
    while words[:1] == ["--set"]:
        words = words[2:]
    command: Any = _cli()
    path = []
    while hasattr(command, "commands"):
        path.append(words.pop(0) if words else "")
        if path[-1] not in command.commands:
            raise LookupError(f"there is no command `pipeline {' '.join(path)}`")
        command = command.commands[path[-1]]
    return command, words


@cache
def _cli() -> Any:
    return get_command(app)


def _help(task: dict[str, Any]) -> str | None:
    """What the command says of itself; None where there is none, which another rule says."""
    try:
        command, _ = _command(task)
    except LookupError:
        return None
    return (command.help or "").split("\n\n")[0]


def _pins(text: str) -> list[tuple[str, str]]:
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", text, re.MULTILINE)
    return [(re.sub(r"[._]", "-", name.lower()), version) for name, version in found]


def _quartz(text: str) -> Iterator[str]:
    parts = text.split()
    if len(parts) not in {6, 7}:
        yield f"{len(parts)} fields, expected 6 or 7: Quartz begins with seconds"
        return
    for (name, low, high, names), part in zip(FIELDS, parts, strict=False):
        for one in part.upper().split(","):
            if not _in_range(one, low, high, names.split()):
                yield f"{name}: {one}"
    if [parts[3], parts[5]].count("?") != 1:
        yield "exactly one of day of month and day of week must be ?"


def _in_range(one: str, low: int, high: int, names: list[str]) -> bool:
    if one in {"*", "?"} or fnmatch(one, "L*"):
        return True
    base, _, step = one.partition("/")
    if step and not step.isdecimal():
        return False
    if base == "*":
        return True
    numbers = [names.index(n) + low if n in names else n for n in base.split("-")]
    return all(str(n).isdecimal() and low <= int(n) <= high for n in numbers)


def relative(bundle: Bundle, kind: str, key: str, path: str) -> PurePosixPath:
    """A path that a resource's file names, from the repository's root."""
    file = bundle.files[kind, key].parent / path
    return PurePosixPath(file.resolve().relative_to(bundle.root))
