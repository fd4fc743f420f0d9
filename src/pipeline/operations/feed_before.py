"""A feed as it was: another file, or the same file at a git revision."""

import subprocess
from pathlib import Path

from pipeline.core.feed import parse_feed
from pipeline.core.feed_model import Feed, FeedError

GIT_SECONDS = 30


def feed_before(now: Feed, against: str) -> Feed:
    """What *against* names: a file, else a revision, at which the feed's own file is read.

    Raises:
        FeedError: it is neither, or the feed of then cannot be used.
    """
    other = Path(against)
    if other.is_file():
        return parse_feed(other.read_text(encoding="utf-8"), file=against)
    if other.suffix in {".yml", ".yaml"}:
        raise FeedError(f"{against}: there is no such file")
    file = Path(now.file).resolve()
    text = _git("show", "--end-of-options", f"{against}:./{file.name}", folder=file.parent)
    return parse_feed(text, file=f"{against}:./{file.name}")


def _git(*words: str, folder: Path) -> str:
    try:
        done = subprocess.run(  # noqa: S603  the words are ours, and none is taken for an option
            ["git", *words],  # noqa: S607  the git of whoever asks
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FeedError(f"--against: is no file, and git cannot be asked: {error}") from error
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["git says nothing"])[-1]
        raise FeedError(f"--against: is no file and no revision that has this feed: {why}")
    return done.stdout
