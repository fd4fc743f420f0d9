"""The bundle itself: each resource fits Databricks' own models, and each rule holds."""

from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from databricks.bundles.alerts import Alert
from databricks.bundles.dashboards import Dashboard
from databricks.bundles.jobs import Job
from databricks.bundles.schemas import Schema
from databricks.bundles.secret_scopes import SecretScope
from databricks.bundles.volumes import Volume

from pipeline.settings import load_settings

from .load import load
from .rules import RULES, relative

ROOT = Path(__file__).parents[3]
TARGETS = ("dev", "staging", "prod")
MODELS = {
    "alerts": Alert,
    "dashboards": Dashboard,
    "jobs": Job,
    "schemas": Schema,
    "secret_scopes": SecretScope,
    "volumes": Volume,
}


@pytest.mark.parametrize("target", TARGETS)
def test_each_resource_is_what_the_api_knows(target):
    """An unknown field or a wrong word would be found out by the deploy, or by nobody."""
    bundle = load(ROOT, target)
    for kind in bundle.content["resources"]:
        for key, resource in bundle.all(kind).items():
            assert MODELS[kind].from_dict(resource).as_dict(), f"{kind} {key}"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_bundle_keeps_the_rule(target, rule):
    """What `bundle validate` lets through would fail in the workspace, or send in dev."""
    assert list(rule(load(ROOT, target))) == []


def test_production_runs_and_dev_waits():
    """A pause that is forgotten in production is an outage that nobody started."""
    for target, status in (("dev", "PAUSED"), ("staging", "PAUSED"), ("prod", "UNPAUSED")):
        jobs = load(ROOT, target).all("jobs")
        for name in ("deliver", "drain"):
            assert jobs[name]["continuous"]["pause_status"] == status
            assert jobs[f"{name}_serverless"]["schedule"]["pause_status"] == "PAUSED"


def test_only_the_runner_and_the_platform_reach_the_keys():
    """Whoever reads the scope can send as the company, and read every payload that waits."""
    prod = load(ROOT, "prod")
    allowed = prod.all("secret_scopes")["keys"]["permissions"]
    assert {tuple(one.values()) for one in allowed} == {
        ("looked-up-service_principal-customerio-pipeline", "READ"),
        ("platform", "MANAGE"),
    }
    assert "permissions" not in prod.content
    seen = {one.get("group_name") for one in prod.all("jobs")["erase"]["permissions"]}
    assert "upstream" not in seen, "runs' parameters can be read by who may view the job"


def test_each_target_has_settings_that_load_with_what_the_bundle_sets(monkeypatch):
    """A settings file that refuses what the deploy sets ends each job at its start."""
    from pipeline.settings import override

    for target in TARGETS:
        bundle = load(ROOT, target)
        text = bundle.all("jobs")["deliver_serverless"]["tasks"][0]["python_wheel_task"]
        words = text["parameters"]
        for flag, value in pairwise(words):
            if flag == "--set":
                for name, one in override(value).items():
                    monkeypatch.setenv(name, one)
        settings = load_settings(ROOT / "conf" / f"{target}.yml")
        assert settings.delivery.site == "driver"
        assert settings.tables.checkpoints.startswith("/Volumes/")
        assert settings.keys.scope
        assert settings.destination.base_url is None


def test_wheels_come_from_where_the_build_puts_them():
    """A path from the wrong folder finds an old wheel, or none."""
    bundle = load(ROOT, "prod")
    for key, job in bundle.all("jobs").items():
        for task in job["tasks"]:
            for library in task.get("libraries", ()):
                if "whl" in library:
                    path = relative(bundle, "jobs", key, library["whl"])
                    assert str(path) == "dist/*.whl"


def test_what_is_included_is_read():
    """A resource file outside the glob would be silently left out of every deploy."""
    content = yaml.safe_load((ROOT / "bundles" / "databricks.yml").read_text())
    included = {path for pattern in content["include"] for path in (ROOT / "bundles").glob(pattern)}
    everything = set((ROOT / "bundles").rglob("*.yml")) - {ROOT / "bundles" / "databricks.yml"}
    assert included == everything
