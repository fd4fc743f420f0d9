"""A small disk of its own, filled without harm to the machine; only root may mount one."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[bool]:
    """Mount one of *size* (such as `16m`) at *folder*; whether this machine let us have it."""
    folder.mkdir(parents=True)
    mount = shutil.which("mount")
    made = mount is not None and not subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True, check=False,
    ).returncode  # fmt: skip
    try:
        yield made
    finally:
        if made:
            subprocess.run([str(shutil.which("umount")), "-l", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Leave no room on it."""
    with suppress(OSError), _ballast(disk).open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))


def empty(disk: Path) -> None:
    """Give the room back."""
    _ballast(disk).unlink()


def _ballast(disk: Path) -> Path:
    return disk / "ballast"
