"""What the code does with tables is what the service principal was granted, and no more.

Found in the code itself: statements by their first words and the table that they name.
"""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from pipeline.settings import load_settings, override

from .load import load

ROOT = Path(__file__).parents[3]
PACKAGES = ("source", "tables", "streams", "operations", "watch")
READS = {"SELECT"}
CHANGES = {"SELECT", "MODIFY"}
NEEDED = {
    "SELECT": READS,
    "DESCRIBE": READS,
    "SHOW": READS,
    "UPDATE": CHANGES,
    "DELETE": CHANGES,
    "MERGE": CHANGES,
    "OPTIMIZE": CHANGES,
    "REORG": CHANGES,
    "VACUUM": CHANGES,
    "ALTER": CHANGES,
    "COMMENT": CHANGES,
    "CREATE": {"CREATE_TABLE"},  # views, too
}
"""https://docs.databricks.com/aws/en/data-governance/unity-catalog/manage-privileges/privileges"""
OURS = {"place.sql", "self.sql", "where.place(table).sql", "_in_schema(where, name)"}
"""How the code names the pipeline's own tables; `tables.place` alone knows where they are."""
VOLUME = {"READ_VOLUME", "WRITE_VOLUME"}
"""Checkpoints, and the heads of the audit log."""


def code() -> Iterator[tuple[str, ast.AST]]:
    for package in PACKAGES:
        for file in sorted((ROOT / "src/pipeline" / package).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                yield str(file.relative_to(ROOT / "src/pipeline")), node


def executed() -> Iterator[tuple[str, str, str]]:
    """Statements that name a table or a view: file, first word, table."""
    for file, node in code():
        match node:
            case ast.Call(func=ast.Attribute(attr="sql"), args=[ast.JoinedStr() as text]):
                pass
            case ast.keyword(arg="sql", value=ast.JoinedStr() as text):
                pass
            case ast.Assign(targets=[ast.Name(id="sql")], value=ast.JoinedStr() as text):
                pass
            case ast.Return(value=ast.JoinedStr() as text):
                if not isinstance(text.values[0], ast.Constant):
                    continue
                if not str(text.values[0].value).startswith("CREATE"):
                    continue
            case _:
                continue
        first = text.values[0]
        assert isinstance(first, ast.Constant), f"{file}: a statement without a first word"
        words = re.findall(r"[A-Z]+", str(first.value))
        names = [ast.unparse(v.value) for v in text.values if isinstance(v, ast.FormattedValue)]
        if words:
            yield file, words[0], names[0]


def test_each_statement_is_known_and_changes_our_own_tables_only() -> None:
    """The code would change a source table, or do what nobody granted."""
    found = list(executed())
    assert {word for _, word, _ in found} >= {"CREATE", "MERGE", "UPDATE", "VACUUM", "DESCRIBE"}
    for file, word, table in found:
        assert word in NEEDED, f"{file}: {word} {table}: say in NEEDED what it needs"
        if NEEDED[word] != READS:
            assert table in OURS, f"{file}: {word} {table}: only the pipeline's own are changed"


def test_rows_are_written_in_one_place() -> None:
    """A write elsewhere would pass by the names above, into anybody's table."""
    writes = {
        file
        for file, node in code()
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"save", "saveAsTable", "insertInto", "toTable", "writeTo"}
        and ".format('noop')" not in ast.unparse(node)  # evaluates, and writes nothing
    }
    assert writes == {"tables/place.py"}


def test_the_service_principal_may_do_that_and_nothing_else() -> None:
    """A job would fail for want of a right, or could do what it never has to."""
    needed = {"USE_SCHEMA"} | VOLUME
    for _, word, _ in executed():
        needed |= NEEDED[word]
    for target in ("staging", "prod"):
        grants = load(ROOT, target).all("schemas")["pipeline"]["grants"]
        runner = load(ROOT, target).content["run_as"]["service_principal_name"]
        (given,) = (set(one["privileges"]) for one in grants if one["principal"] == runner)
        assert given == needed


def test_what_is_no_table_is_in_the_volume(monkeypatch) -> None:
    """The rights to the volume would have no reason, or files would go where nobody has any."""
    for target in ("staging", "prod"):
        words = load(ROOT, target).all("jobs")["deliver"]["tasks"][0]["python_wheel_task"]
        for flag, value in pairwise(words["parameters"]):
            for name, one in override(value).items() if flag == "--set" else ():
                monkeypatch.setenv(name, one)
        settings = load_settings(ROOT / "conf" / f"{target}.yml")
        assert settings.tables.checkpoints.startswith("/Volumes/")
        assert settings.audit_heads.startswith("/Volumes/")
