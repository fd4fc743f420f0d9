"""Load the feeds of a folder."""

from pathlib import Path

from pipeline.core.feed import Feed, FeedError, parse_feed


def load_feeds(folder: Path) -> tuple[Feed, ...]:
    """Every `*.yml` and `*.yaml` of *folder*, sorted by name.

    Raises:
        FeedError: there is no feed, one cannot be used, or two have one name; all problems of
            all files at once, a line each.
    """
    paths = sorted(path for path in folder.glob("*.y*ml") if path.suffix in {".yml", ".yaml"})
    if not paths:
        raise FeedError(f"{folder}: holds no feed (*.yml); see docs/feeds.md")
    feeds: dict[str, Feed] = {}
    problems: list[str] = []
    for path in paths:
        try:
            feed = parse_feed(path.read_text(encoding="utf-8"), file=str(path))
        except (FeedError, UnicodeDecodeError) as error:
            problems.append(str(error) if isinstance(error, FeedError) else f"{path}: no UTF-8")
            continue
        if (other := feeds.get(feed.name)) is not None:
            problems.append(f"{path}: name: {feed.name} is already the name of {other.file}")
        else:
            feeds[feed.name] = feed
    if problems:
        raise FeedError("\n".join(problems))
    return tuple(feeds[name] for name in sorted(feeds))
