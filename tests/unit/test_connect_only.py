"""Only Spark API that Spark Connect has: what it lacks fails on serverless compute alone."""

import ast
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src" / "pipeline"
LACKING = frozenset(
    {
        "sparkContext", "_sc", "_jsc", "_jvm", "_jdf", "_jsparkSession", "_jwrite", "_jreader",
        "_jschema", "rdd", "foreachPartition", "newSession", "sqlContext", "_wrapped",
    }
)  # fmt: skip
"""Attributes of sessions and DataFrames that are there in Spark's own process alone."""
MODULES = ("pyspark.rdd", "pyspark.context", "pyspark.core", "py4j", "delta.tables")
"""And modules; the Python API of Delta needs a plugin on a Spark Connect server."""


def lacking(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in LACKING:
            found.append(f"line {node.lineno}: .{node.attr}")
        names = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{one.name}" for one in node.names)]
        elif isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        found += [
            f"line {node.lineno}: {name}"
            for name in names
            if name == "pyspark.SparkContext"
            or any(name == one or name.startswith(f"{one}.") for one in MODULES)
        ]
    return found


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.py")), ids=lambda p: p.stem)
def test_nothing_needs_sparks_own_process(path):
    """It would work here, on a cluster, and in no job that runs serverless."""
    assert lacking(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "spark.sparkContext.broadcast(1)",
        "frame.rdd.map(f)",
        "from pyspark import SparkContext",
        "from delta.tables import DeltaTable",
        "import py4j.java_gateway",
        "from pyspark.rdd import RDD",
    ],
)
def test_what_connect_lacks_is_found(line):
    """A lint that sees nothing forbids nothing."""
    assert lacking(line)
