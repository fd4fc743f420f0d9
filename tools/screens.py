"""Take pictures of the dashboards, of what `make demo` left. `make screens` runs this.

They want tables with something in them, and Chromium; so `make docs` takes what is stored.
"""

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from pipeline.cli import main as pipeline

ROOT: Final = Path(__file__).parents[1]
PICTURES: Final = ROOT / "docs" / "pictures"
PAGE: Final = ROOT / "build" / "dashboard.html"
CHROMIUM: Final = shutil.which("chromium") or shutil.which("google-chrome")
SHOTS: Final = (
    ("overview.png", "980,1050", "dark"),
    ("phone.png", "500,1150", "light"),
)
"""File, window, and what the system prefers."""
SCHEMES: Final = {"dark": "0", "light": "1"}
"""As Chromium numbers them."""


def write_page() -> int:
    """The dashboards as one page; the command's exit status."""
    line = ["dashboard", "--once", "--out", str(PAGE), "--conf", "conf/local.yml"]
    try:
        with contextlib.chdir(ROOT):
            pipeline(line)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def take(chromium: str, name: str, size: str, scheme: str) -> None:
    """One picture."""
    subprocess.run(  # noqa: S603  our own arguments
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
            f"--window-size={size}",
            f"--user-data-dir={ROOT / 'build' / 'chromium'}",
            f"--screenshot={PICTURES / name}",
            PAGE.as_uri(),
        ],
        check=True,
        timeout=120,
    )


def main() -> int:
    """Write the page and take all of them; the exit status."""
    if CHROMIUM is None:
        sys.stderr.write("there is no Chromium on PATH: install it, and run this again\n")
        return 1
    if not (ROOT / "build" / "demo" / "tables").is_dir():
        sys.stderr.write("build/demo has no tables: run `make demo` first\n")
        return 1
    if status := write_page():
        return status
    for name, size, scheme in SHOTS:
        take(CHROMIUM, name, size, scheme)
    return 0


if __name__ == "__main__":
    sys.exit(main())
