"""Each rule fires on a copy of the bundle that was broken in the way that it is about."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest

from . import rules
from .load import load

ROOT = Path(__file__).parents[3]


def broken(target, change):
    bundle = load(ROOT, target)
    content = copy.deepcopy(dict(bundle.content))
    change(content)
    return replace(bundle, content=content)


def job(content, key="deliver"):
    return content["resources"]["jobs"][key]


def task(content, key="deliver"):
    return job(content, key)["tasks"][0]


def words(content, key="deliver"):
    return task(content, key)["python_wheel_task"]["parameters"]


CASES = [
    (rules.continuous_runs_alone, lambda c: job(c).update(schedule={}), "continuous, and a sched"),
    (rules.continuous_runs_alone, lambda c: task(c).update(max_retries=3), "has max_retries"),
    (
        rules.continuous_runs_alone,
        lambda c: task(c).update(depends_on=[{"task_key": "x"}]),
        "depends on another",
    ),
    (
        rules.dependencies_exist,
        lambda c: task(c, "setup").update(depends_on=[{"task_key": "nothing"}]),
        "depends on nothing, not there",
    ),
    *(
        (
            rules.schedules_are_quartz,
            lambda c, text=text: job(c, "reconcile")["schedule"].update(
                quartz_cron_expression=text
            ),
            words_,
        )
        for text, words_ in (
            ("30 4 * * *", "5 fields"),
            ("0 61 4 * * ?", "minutes: 61"),
            ("0 30 4 * * *", "must be ?"),
            ("0 30 4 ? * NOD", "day of week: NOD"),
            ("0 0/x 4 * * ?", "minutes: 0/X"),
        )
    ),
    (
        rules.entry_points_are_ours,
        lambda c: task(c)["python_wheel_task"].update(entry_point="pipelin"),
        "not in [project.scripts]",
    ),
    (
        rules.entry_points_are_ours,
        lambda c: task(c)["python_wheel_task"].update(package_name="pipeline"),
        "is not customerio-pipeline",
    ),
    (
        rules.environments_are_defined,
        lambda c: task(c, "setup").update(environment_key="pipelines"),
        "pipelines is not defined",
    ),
    (
        rules.files_are_synced,
        lambda c: words(c).append("/files/conf/production.yml"),
        "there is no conf/production.yml",
    ),
    (
        rules.files_are_synced,
        lambda c: words(c).append("/files/docs/api.md"),
        "docs/api.md is in none of sync.paths",
    ),
    (
        rules.dev_starts_nothing,
        lambda c: job(c)["continuous"].update(pause_status="UNPAUSED"),
        "deliver: continuous would start in dev",
    ),
    (
        rules.dev_starts_nothing,
        lambda c: job(c, "reconcile").update(triggers=[{"table_update": {}}]),
        "dev mode pauses no triggers",
    ),
    (
        rules.descriptions_are_docstrings,
        lambda c: job(c).update(description="Sends things."),
        "its code says 'Send what",
    ),
    (
        rules.commands_exist,
        lambda c: words(c).__setitem__(words(c).index("deliver"), "delivr"),
        "no command `pipeline delivr`",
    ),
    (rules.commands_exist, lambda c: words(c).append("--now"), "has no option --now"),
    (
        rules.parameters_arrive,
        lambda c: words(c, "replay").remove("--stale={{job.parameters.stale}}"),
        "parameter stale is not used",
    ),
    (
        rules.parameters_arrive,
        lambda c: words(c, "replay").append("--note={{job.parameters.note}}"),
        "parameter note is unknown",
    ),
    (
        rules.parameters_arrive,
        lambda c: words(c, "replay").append("{{job.parameters.feed}}"),
        "is not --option=",
    ),
    (
        rules.settings_can_be_set,
        lambda c: words(c).__setitem__(1, "tables.schema=x"),
        "--set tables.schema: there is no such setting",
    ),
    (
        rules.versions_are_locked,
        lambda c: job(c, "setup")["environments"][0]["spec"]["dependencies"].append(
            "aiohttp==3.0.1"
        ),
        "aiohttp==3.0.1, the lock has",
    ),
    (
        rules.serverless_ends,
        lambda c: words(c, "drain_serverless").remove("--available-now"),
        "without --available-now",
    ),
    (
        rules.serverless_ends,
        lambda c: words(c, "drain_serverless").remove("delivery.site=driver"),
        "without delivery.site=driver",
    ),
    (
        rules.serverless_ends,
        lambda c: job(c, "drain_serverless").update(continuous={}),
        "continuous, on serverless",
    ),
    (
        rules.clusters_fit,
        lambda c: job(c)["job_clusters"][0]["new_cluster"].update(autoscale={}),
        "autoscale",
    ),
    (
        rules.clusters_fit,
        lambda c: job(c)["job_clusters"][0]["new_cluster"]["spark_conf"].clear(),
        "spark.speculation is not false",
    ),
    (
        rules.clusters_fit,
        lambda c: job(c)["job_clusters"][0]["new_cluster"]["spark_conf"].clear(),
        "with keys in them, go to a file",
    ),
    (
        rules.clusters_fit,
        lambda c: job(c)["job_clusters"][0]["new_cluster"].pop("spark_env_vars"),
        "give their memory back",
    ),
    (
        rules.clusters_fit,
        lambda c: job(c)["job_clusters"][0]["new_cluster"].update(data_security_mode="USER"),
        "not in dedicated access mode",
    ),
    (rules.clusters_fit, lambda c: job(c).pop("max_concurrent_runs"), "more than one run"),
    (
        rules.health_is_told,
        lambda c: job(c)["webhook_notifications"].pop("on_streaming_backlog_exceeded"),
        "without on_streaming_backlog_exceeded",
    ),
    (
        rules.keys_are_not_shared,
        lambda c: c.update(permissions=[{"group_name": "upstream", "level": "CAN_VIEW"}]),
        "lets them read the keys",
    ),
]


@pytest.mark.parametrize(("rule", "change", "says"), CASES)
def test_the_rule_fires(rule, change, says):
    """A rule that never fires holds nothing."""
    found = list(rule(broken("dev", change)))
    assert any(says in one for one in found), found


def test_each_rule_has_a_broken_copy():
    """A rule without one may have stopped to see."""
    assert {rule for rule, _, _ in CASES} == set(rules.RULES)
