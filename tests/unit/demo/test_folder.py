"""The demo's folder is its own."""

from pathlib import Path

import pytest

from pipeline.demo.folder import FolderError, make_folder


def test_what_an_earlier_demo_left_is_removed(tmp_path: Path) -> None:
    """A run begins with an empty folder."""
    folder = make_folder(tmp_path / "demo")
    (folder / "tables").mkdir()

    assert [path.name for path in make_folder(folder).iterdir()] == [".demo"]


def test_other_files_are_never_removed(tmp_path: Path) -> None:
    """A folder that no demo made is refused as it is."""
    (tmp_path / "thesis.txt").touch()

    with pytest.raises(FolderError, match="--folder"):
        make_folder(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
