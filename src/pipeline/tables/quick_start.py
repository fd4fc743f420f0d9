"""Start an embedded Spark in half the time: Delta's jars by their paths, classes by archive.

`tools/quick_start.py`, which `make setup` runs, leaves both behind. Without them, or with other
versions installed since, Spark asks Ivy for the jars, and Java loads each class from them.
"""

import os
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import urlparse

from pyspark.sql import SparkSession

OWN: Final = ("io.delta_", "io.unitycatalog_")
"""Begins the names of those of Delta's jars that Spark lacks: Ivy names a file after its group.

The others Spark has itself, in the version that it was built with."""
QUIET: Final = "-Xlog:cds=off -Xlog:cds+dynamic=off -Xlog:class+path=off"
"""Java says nothing of an archive that it can't use, such as another Java's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickStart:
    """What one Python environment has."""

    folder: Path

    @property
    def jars(self) -> Path:
        """The versions that the jars are of, then their paths, a line each."""
        return self.folder / "jars"

    @property
    def classes(self) -> Path:
        """Java's archive of classes that were loaded once."""
        return self.folder / "classes.jsa"

    def classpath(self) -> str | None:
        """The jars, where those of the installed versions are there."""
        if not self.jars.exists():
            return None
        versions, *paths = self.jars.read_text(encoding="utf-8").splitlines()
        there = versions == _versions() and all(Path(path).exists() for path in paths)
        return os.pathsep.join(paths) if there else None

    def keep(self, jars: str) -> None:
        """Write down those of *jars*, as `spark.jars` lists them, that Spark lacks."""
        paths = [urlparse(jar).path for jar in jars.split(",")]
        own = sorted(path for path in paths if Path(path).name.startswith(OWN))
        self.folder.mkdir(exist_ok=True)
        self.jars.write_text("\n".join([_versions(), *own]) + "\n", encoding="utf-8")

    def options(self) -> str:
        """For Java, to take classes from the archive; nothing where there is none."""
        return f'"-XX:SharedArchiveFile={self.classes}" {QUIET}' if self.classes.exists() else ""


HERE: Final = QuickStart(folder=Path(sys.prefix) / "java")


def _versions() -> str:
    return f"pyspark {version('pyspark')} delta-spark {version('delta-spark')}"


def with_delta(
    builder: SparkSession.Builder, java: str, quick: QuickStart = HERE
) -> SparkSession.Builder:
    """The builder of a Spark that has Delta's jars, on driver and executors, and Java's options."""
    from delta import configure_spark_with_delta_pip  # noqa: PLC0415  only local use has it

    classpath = quick.classpath()
    if classpath is None:
        builder = builder.config("spark.driver.extraJavaOptions", java)
        return configure_spark_with_delta_pip(builder)
    return (
        builder.config("spark.driver.extraJavaOptions", f"{java} {quick.options()}".strip())
        .config("spark.driver.extraClassPath", classpath)
        .config("spark.executor.extraClassPath", classpath)
    )
