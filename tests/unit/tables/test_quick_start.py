"""What set-up leaves behind is used only where it fits."""

import os

import pytest

from pipeline.tables import quick_start
from pipeline.tables.quick_start import QuickStart


@pytest.fixture
def kept(tmp_path):
    """An installation with two of Delta's jars, and one that Spark has itself."""
    names = ("io.delta_spark.jar", "org.slf4j_slf4j-api.jar", "io.delta_storage.jar")
    for name in names:
        (tmp_path / name).write_text("")
    quick = QuickStart(folder=tmp_path / "java")
    quick.keep(",".join(f"file://{tmp_path}/{name}" for name in names))
    return quick


def test_only_what_spark_lacks_is_on_the_class_path(kept, tmp_path):
    """An older library of the same name would come before Spark's own."""
    wanted = [f"{tmp_path}/io.delta_spark.jar", f"{tmp_path}/io.delta_storage.jar"]
    assert kept.classpath() == os.pathsep.join(wanted)


def test_jars_of_other_versions_are_not_used(kept, monkeypatch):
    """After an upgrade, Delta of the version before would run with another Spark."""
    monkeypatch.setattr(quick_start, "version", lambda name: f"{name} 99")
    assert kept.classpath() is None


def test_jars_that_were_removed_are_fetched_again(kept, tmp_path):
    """A cleared cache would leave a Spark without Delta."""
    (tmp_path / "io.delta_storage.jar").unlink()
    assert kept.classpath() is None
    assert QuickStart(folder=tmp_path / "nothing").classpath() is None


def test_java_is_told_of_an_archive_that_is_there(kept):
    """It would say on each start that there is none."""
    assert kept.options() == ""
    kept.classes.write_text("")
    assert f'"-XX:SharedArchiveFile={kept.classes}"' in kept.options()
