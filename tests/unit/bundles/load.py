"""Read the bundle as the CLI does (includes, targets, variables), but look nothing up."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

REFERENCE = re.compile(r"\$\{([\w.]+)\}")
FILES = "/files"
"""Stands for `${workspace.file_path}`."""
DEEPEST = 10
"""References in references."""


@dataclass(frozen=True)
class Bundle:
    """One target of the bundle, resolved."""

    root: Path
    """The repository."""
    target: str
    content: Mapping[str, Any]
    """The whole configuration; `${resources...}` stands as it is."""
    files: Mapping[tuple[str, str], Path]
    """Of each resource, by kind and key: the file that names it."""

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resources of a kind."""
        return dict(self.content["resources"].get(kind, {}))


@cache
def load(root: Path, target: str) -> Bundle:
    """The bundle in *root*/bundles for *target*."""
    main = root / "bundles" / "databricks.yml"
    content = yaml.safe_load(main.read_text())
    files: dict[tuple[str, str], Path] = {}
    resources: dict[str, Any] = {}
    for pattern in content["include"]:
        for path in sorted(main.parent.glob(pattern)):
            part = yaml.safe_load(path.read_text()).get("resources", {})
            for kind, named in part.items():
                for key in named:
                    assert (kind, key) not in files, f"{path.name}: {kind}.{key} is named twice"
                    files[kind, key] = path
            resources = merged(resources, part)
    chosen = content["targets"][target]
    content = merged(
        {**content, "resources": resources}, {"resources": chosen.get("resources", {})}
    )
    variables = {name: _value(variable) for name, variable in content["variables"].items()} | {
        name: _value(value) for name, value in chosen.get("variables", {}).items()
    }
    known = {
        "bundle.name": content["bundle"]["name"],
        "bundle.target": target,
        "workspace.file_path": FILES,
        "workspace.current_user.short_name": "me",
        **{f"var.{name}": value for name, value in variables.items()},
    }
    whole = {k: v for k, v in content.items() if k not in {"targets", "variables"}}
    for key in ("permissions", "run_as", "mode"):
        if key in chosen:
            whole[key] = chosen[key]
    return Bundle(root, target, resolved(whole, known), files)


def merged(one: Any, other: Any) -> Any:
    """Mappings merge, all else is replaced."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{key: merged(one.get(key), value) for key, value in other.items()}}
    return other


def resolved(value: Any, known: Mapping[str, Any], depth: int = 0) -> Any:
    """References to what is known replaced by it, in all depths."""
    if isinstance(value, dict):
        return {key: resolved(inner, known, depth) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner, known, depth) for inner in value]
    if not isinstance(value, str) or depth > DEEPEST:
        return value
    whole = REFERENCE.fullmatch(value)
    if whole is not None and whole[1] in known:
        return resolved(known[whole[1]], known, depth + 1)

    def put(found: re.Match[str]) -> str:
        return str(known.get(found[1], found[0]))

    replaced = REFERENCE.sub(put, value)
    return value if replaced == value else resolved(replaced, known, depth + 1)


def _value(variable: Any) -> Any:
    """A variable's default, or a target's value for it; a word for what is looked up."""
    if isinstance(variable, dict) and "lookup" in variable and variable.get("default") is None:
        ((kind, name),) = variable["lookup"].items()
        return f"looked-up-{kind}-{name}"
    if isinstance(variable, dict) and "description" in variable:
        return variable.get("default")
    return variable
