"""Send dead letters again, by feed, version, time, person or reason."""

import sys
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.cli import filters
from pipeline.cli.feed import FROM, TO, one_feed
from pipeline.cli.options import LOCAL, Conf
from pipeline.keys import load_keys
from pipeline.settings import load_settings

app = typer.Typer()
Moment = Annotated[datetime | None, typer.Option(help="Dead since then (UTC).")]
Until = Annotated[datetime | None, typer.Option(help="Dead before then (UTC).")]
Remap = Annotated[
    bool | None,
    typer.Option(
        "--remap/--sealed",
        help="Make all calls anew with today's feed, or none. Default: those that mapping, "
        "validation or their size refused.",
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        min=0.1, help="Messages a second at most. Default: the setting rate.replay_messages."
    ),
]
Stale = Annotated[
    bool,
    typer.Option("--stale", help="Also where a later change of the person was accepted."),
]


@app.command()
def replay(
    feed: Annotated[str, typer.Option(help="Name of the feed, or its file.")],
    from_version: FROM = None,
    to_version: TO = None,
    since: Moment = None,
    until: Until = None,
    entity: filters.Entity = None,
    entity_hash: filters.EntityHash = None,
    reason: filters.Reason = None,
    remap: Remap = None,
    stale: Stale = False,  # noqa: FBT002  typer's way to a flag
    rate: Rate = None,
    dry_run: filters.DryRun = False,  # noqa: FBT002
    yes: filters.Yes = False,  # noqa: FBT002
    conf: Conf = LOCAL,
) -> None:
    """Send a feed's dead letters again, with their old ids. Can be broken off, and run again."""
    from pipeline.operations import replay as operation  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings = load_settings(conf)
    one, secrets, spark = one_feed(settings, feed), load_keys(settings.keys), active_session()
    wanted = operation.Wanted(
        feed=one.name,
        first=from_version,
        last=to_version,
        since=_utc(since),
        until=_utc(until),
        entity_hash=filters.entity_hash_of(settings, entity, entity_hash),
        reason=reason,
    )
    dead = operation.find(spark, settings, wanted)
    console = Console()
    if not dead:
        console.print("No dead letter matches; nothing was asked for.")
        raise typer.Exit(1)
    versions = len({letter.source_version for letter in dead})
    console.print(f"{len(dead):,} dead letters of {versions:,} versions of {one.name}.")
    if not (dry_run or yes):
        typer.confirm("Replay what of them can be replayed?", abort=True)
    how: operation.Remap = "failed"
    if remap is not None:
        how = "all" if remap else "none"
    number, asked, left = uuid4().hex[:12], 0, Counter[str]()
    pace = operation.Pace(rate or settings.rate.replay_messages)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    ) as progress:
        bar = progress.add_task("dead letters", total=len(dead))
        for ready in operation.prepare(spark, settings, one, dead, secrets, remap=how, stale=stale):
            left.update(ready.left)
            progress.advance(bar, sum(ready.left.values()))
            parts = (
                [len(ready.messages)]
                if dry_run
                else operation.request(
                    spark, settings, one.name, ready, number=number, stale=stale, pace=pace
                )
            )
            for some in parts:
                asked += some
                progress.advance(bar, some)
    for why, count in left.most_common():
        console.print(f"  {count:,} are left: {why}", soft_wrap=True, markup=False)
    if dry_run:
        console.print(f"Dry run: {asked:,} would be asked for.")
        return
    console.print(
        f"Asked: replay of {asked:,} messages, request {number}. drain queues them at its next "
        f"tick, and sends them at its own rate, below that of deliver; see\n"
        f"  pipeline commands --conf {conf}",
        soft_wrap=True,
    )


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=moment.tzinfo or UTC)
