"""For those who write source tables: propose a feed, check it, preview it, compare it."""

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.cli.options import LOCAL, AsJson, Conf
from pipeline.core.feed_model import Feed, FeedError
from pipeline.settings import Settings, load_settings

app = typer.Typer(no_args_is_help=True, help="For those who write source tables; nothing is sent.")

SAMPLED = 10_000
FROM = Annotated[int | None, typer.Option("--from-version", min=0, help="From this version on.")]
TO = Annotated[int | None, typer.Option("--to-version", min=0, help="To this version.")]
WHERE = Annotated[str | None, typer.Option("--where", help="Only rows for which this SQL is true.")]
SAMPLE = Annotated[int, typer.Option(min=0, help="At most so many changes; 0: all of them.")]
Ci = Annotated[bool, typer.Option("--ci", help="All rows, unless told otherwise, and plain lines.")]
NoSamples = Annotated[
    bool, typer.Option("--no-samples", help="Name no row keys: for reports that many see.")
]
FEED = Annotated[str, typer.Argument(metavar="FEED", help="Name of a feed, or its file.")]


def one_feed(settings: Settings, name: str) -> Feed:
    """The feed of this name, or of this file.

    Raises:
        FeedError: there is none, or it cannot be used.
    """
    from pipeline.core.feed import parse_feed  # noqa: PLC0415  sqlglot is slow to import

    path = Path(name)
    if path.suffix not in {".yml", ".yaml"}:
        found = [p for p in _files(settings) if p.stem == name]
        if not found:
            names = ", ".join(p.stem for p in _files(settings)) or "none"
            raise FeedError(
                f"{name}: no such feed in {settings.sources.feeds}; there are: {names}. A file's "
                "path works as well"
            )
        path = found[0]
    try:
        return parse_feed(path.read_text(encoding="utf-8"), file=str(path))
    except OSError as error:
        raise FeedError(f"{path}: {error.strerror}") from error


def _files(settings: Settings) -> list[Path]:
    folder = Path(settings.sources.feeds)
    return sorted(p for p in folder.glob("*.y*ml") if p.suffix in {".yml", ".yaml"})


@app.command()
def check(
    feeds: Annotated[
        list[str] | None, typer.Argument(metavar="[FEED]...", help="Names or files; none: all.")
    ] = None,
    from_version: FROM = None,
    to_version: TO = None,
    where: WHERE = None,
    sample: Annotated[
        int | None, typer.Option(min=0, help=f"At most so many changes; 0: all. Default {SAMPLED}.")
    ] = None,
    ci: Ci = False,  # noqa: FBT002  typer's way to a flag
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit file.")] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write Markdown, for a pull request.")
    ] = None,
    no_samples: NoSamples = False,  # noqa: FBT002
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail as well.")] = False,  # noqa: FBT002
    conf: Conf = LOCAL,
) -> None:
    """Hold feeds against their tables and the tables' rows; exit status 1 when one is broken."""
    from pipeline.cli.feed_text import print_contract  # noqa: PLC0415
    from pipeline.operations.contract import contract  # noqa: PLC0415  Spark is slow to import
    from pipeline.operations.contract_report import junit as as_junit  # noqa: PLC0415
    from pipeline.operations.contract_report import markdown as as_markdown  # noqa: PLC0415
    from pipeline.operations.selection import Choice  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings = load_settings(conf)
    if sample is None:
        sample = 0 if ci else SAMPLED
    choice = Choice(first=from_version, last=to_version, where=where, sample=sample or None)
    wanted = [one_feed(settings, name) for name in feeds or map(str, _files(settings))]
    if not wanted:
        raise FeedError(f"{settings.sources.feeds}: holds no feed (*.yml); see docs/feeds.md")
    spark, found = active_session(), []
    for feed in wanted:
        one = contract(spark, settings, feed, choice)
        one = one.without_samples() if no_samples else one
        print_contract(Console(no_color=ci, highlight=not ci), one)
        found.append(one)
    if junit is not None:
        junit.write_text(as_junit(found), encoding="utf-8")
    if markdown is not None:
        markdown.write_text(as_markdown(found), encoding="utf-8")
    holds = all(one.holds and not (strict and one.findings) for one in found)
    raise typer.Exit(0 if holds else 1)


@app.command()
def preview(
    feed: FEED,
    from_version: FROM = None,
    to_version: TO = None,
    where: WHERE = None,
    sample: SAMPLE = SAMPLED,
    show: Annotated[int, typer.Option(min=0, help="Show so many messages beside rows.")] = 5,
    html: Annotated[
        Path | None, typer.Option(help="Write one page; it shows rows, so its mode is 600.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
    conf: Conf = LOCAL,
) -> None:
    """What would be sent, skipped and refused, and what it would cost. Nothing is sent."""
    from pipeline.cli.feed_text import print_preview  # noqa: PLC0415
    from pipeline.cli.messages import print_json  # noqa: PLC0415
    from pipeline.operations import preview as operation  # noqa: PLC0415  Spark is slow
    from pipeline.operations.preview_html import page  # noqa: PLC0415
    from pipeline.operations.selection import Choice  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings = load_settings(conf)
    choice = Choice(first=from_version, last=to_version, where=where, sample=sample or None)
    one = one_feed(settings, feed)
    found = operation.preview(active_session(), settings, one, choice, show=show)
    if html is not None:
        html.touch(mode=0o600)
        html.chmod(0o600)
        html.write_text(page(found), encoding="utf-8")
    if as_json:
        print_json(operation.as_json(found))
    else:
        print_preview(Console(), found)
        if html is not None:
            Console().print(f"Written: {html}", soft_wrap=True)


@app.command()
def init(
    table: Annotated[
        str, typer.Option(help="The table: a name, a path, or a path below sources.root.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Write this file, which must not be there yet.")
    ] = None,
    conf: Conf = LOCAL,
) -> None:
    """Propose a feed for a table, with a comment at each guess."""
    from pipeline.operations.propose import propose_for  # noqa: PLC0415  Spark is slow to import
    from pipeline.tables.session import active_session  # noqa: PLC0415

    if out is not None and out.exists():
        raise FeedError(f"{out}: is there already; choose another name, or move it away")
    found = propose_for(active_session(), load_settings(conf), table)
    if out is None:
        sys.stdout.write(found.text)
    else:
        out.write_text(found.text, encoding="utf-8")
        typer.echo(f"Written: {out}. Read it, then: pipeline feed check {out}", err=True)
    for sql in found.to_do:
        typer.echo(f"The table has no change data feed yet; run: {sql}", err=True)


@app.command()
def diff(
    feed: FEED,
    against: Annotated[
        str,
        typer.Option(metavar="FILE|REV", help="Its file as it was, or a git revision of it."),
    ],
    versions: Annotated[int, typer.Option(min=1, help="Over the newest so many commits.")] = 10,
    from_version: FROM = None,
    to_version: TO = None,
    where: WHERE = None,
    sample: SAMPLE = SAMPLED,
    show: Annotated[int, typer.Option(min=0, help="Show so many differing messages.")] = 5,
    as_json: AsJson = False,  # noqa: FBT002
    conf: Conf = LOCAL,
) -> None:
    """What a changed feed would send differently; exit status 1 when anything."""
    from pipeline.cli.feed_text import print_comparison  # noqa: PLC0415
    from pipeline.cli.messages import print_json  # noqa: PLC0415
    from pipeline.operations import compare as operation  # noqa: PLC0415  Spark is slow
    from pipeline.operations.feed_before import feed_before  # noqa: PLC0415
    from pipeline.operations.selection import Choice  # noqa: PLC0415
    from pipeline.tables.session import active_session  # noqa: PLC0415

    settings = load_settings(conf)
    now = one_feed(settings, feed)
    before = feed_before(now, against)
    spark = active_session()
    if from_version is None and to_version is None:
        choice = operation.last_versions(spark, settings, now, versions)
    else:
        choice = Choice(first=from_version, last=to_version)
    choice = replace(choice, where=where, sample=sample or None)
    found = operation.compare(spark, settings, before, now, choice, show=show)
    if as_json:
        print_json({**asdict(found), "differs": found.differs})
    else:
        print_comparison(Console(), found)
    raise typer.Exit(1 if found.differs or found.renamed else 0)
