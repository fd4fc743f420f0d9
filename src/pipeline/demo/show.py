"""The show: set the stage, play the script, close the books."""

import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from pipeline.demo.children import Child, ChildError, running, wait_for_tables
from pipeline.demo.folder import make_folder
from pipeline.demo.load import load
from pipeline.demo.report import report
from pipeline.demo.retail import shape
from pipeline.demo.screen import screen
from pipeline.demo.script import script
from pipeline.demo.shop import FEEDS, Written, open_shop
from pipeline.demo.stage import Stage, make_stage
from pipeline.demo.upstream import opening
from pipeline.demo.verdict import Verdict, judge, received, reconcile
from pipeline.keys import DEFAULT_FILE
from pipeline.keys.store import init_file
from pipeline.sandbox.running import RunningSandbox, running_sandbox
from pipeline.settings import load_settings
from pipeline.source.feed_files import load_feeds

WRITE_KEY: Final = "demo"
MOMENT: Final = 0.25
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """What is asked for."""

    rows: int | None
    """Baskets; none means all."""
    folder: Path
    conf: Path


def run(show: Show, console: Console) -> Verdict:
    """The whole show; the verdict on it.

    Raises:
        DataMissingError, FolderError, ChildError, TooSlowError, ReconcileError, FeedError,
        SettingsError, KeysError: with what is wrong, and where.
    """
    settings = load_settings(show.conf)
    feeds = {feed.name: feed for feed in load_feeds(Path(settings.sources.feeds))}
    folder = make_folder(show.folder)
    key_file = Path(settings.keys.file or DEFAULT_FILE).expanduser()
    if made := init_file(key_file):
        console.print(f"made {' and '.join(made)} in {key_file}")
    console.print("reading the retailer's year")
    shop = open_shop(folder / "sources", shape(load(), show.rows))
    console.print(f"writing the first rows of {', '.join(FEEDS)} to {shop.root}")
    written = list(opening(shop))
    with running_sandbox(write_key=WRITE_KEY, database=folder / "sandbox.db") as sandbox:
        environment = _environment(folder, sandbox)
        console.print("starting deliver, which makes the pipeline's tables, then drain")
        with running("deliver", show.conf, folder, environment) as deliver:
            wait_for_tables(deliver, folder / "tables")
            with running("drain", show.conf, folder, environment) as drain:
                stage = make_stage(shop, feeds, sandbox, (deliver, drain), folder / "tables")
                _play(stage, written, console)
                _stop(stage.children, console)
        console.print("closing the books: pipeline reconcile")
        books = reconcile(show.conf, {**os.environ, **environment})
        stage.outcomes.read_into(stage.ledger)
        seen = received(sandbox.client.message_ids(), sandbox.client.counts())
    changes = _by_feed(stage)
    verdict = judge(books, changes, stage.ledger, seen)
    report(console, verdict, changes, stage.ledger, show.folder, show.conf)
    return verdict


def _environment(folder: Path, sandbox: RunningSandbox) -> Mapping[str, str]:
    """Settings of this run, which win over the file's: above all, that calls go to the sandbox."""
    return {
        "PIPELINE__DESTINATION__BASE_URL": sandbox.base_url,
        "PIPELINE__SOURCES__ROOT": str(folder / "sources"),
        "PIPELINE__TABLES__ROOT": str(folder / "tables"),
        "PIPELINE__TABLES__CHECKPOINTS": str(folder / "checkpoints"),
        "PIPELINE__KEYS__SOURCE": "file",
        "PIPELINE_API_KEY": sandbox.write_key,
        # A tick with nothing to do still costs a second of two cores.
        "PIPELINE__TRIGGERS__DRAIN": "PT4S",
        "PYTHONUNBUFFERED": "1",
    }


def _play(stage: Stage, written: list[Written], console: Console) -> None:
    for one in written:
        stage.note(one)
    try:
        with screen(console) as shown:
            for _ in script(stage):
                shown.show(stage.look())
                time.sleep(MOMENT)
    except KeyboardInterrupt:
        console.print("stopping: the jobs record what they have sent, then end")
        raise
    picture = stage.look()
    console.print(
        f"{picture.received:,} messages delivered in {picture.seconds:.0f} s, "
        f"outages and the start of two JVMs included"
    )


def _stop(children: tuple[Child, ...], console: Console) -> None:
    """SIGTERM to both jobs, which end by themselves with status 0.

    Raises:
        ChildError: one did not.
    """
    console.print(f"asking {' and '.join(child.name for child in children)} to stop (SIGTERM)")
    for child in children:
        child.ask_to_stop()
    for child in children:
        if status := child.stopped():
            raise ChildError(f"{child.name} ended with status {status} at SIGTERM: see {child.log}")


def _by_feed(stage: Stage) -> dict[str, int]:
    changes: Counter[str] = Counter()
    for (feed, _), number in stage.written.items():
        changes[feed] += number
    return dict(changes)
