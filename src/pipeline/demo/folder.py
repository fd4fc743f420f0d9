"""The folder that the demo leaves: its own, made anew each time."""

import shutil
from pathlib import Path
from typing import Final

MARK: Final = ".demo"


class FolderError(Exception):
    """The folder holds something else; the message says what to do."""


def make_folder(folder: Path) -> Path:
    """An empty folder, marked as the demo's; what an earlier demo left is removed.

    Raises:
        FolderError: it has content that no demo made.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise FolderError(
                f"{folder}: holds files that no demo made; give another one with --folder"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    return folder.resolve()
