"""The last page of the show."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipeline.demo.ledger import Ledger
from pipeline.demo.screen import KINDS
from pipeline.demo.verdict import Verdict


def report(
    console: Console,
    verdict: Verdict,
    written: Mapping[str, int],
    ledger: Ledger,
    folder: Path,
    conf: Path,
) -> None:
    """Print the books, what the sandbox says, and where to look."""
    console.print(_books(verdict, written))
    _not_sent(console, ledger)
    _sandbox(console, verdict)
    if verdict.disagreements:
        console.print("\nThey do NOT agree:", style="bold red")
        for line in verdict.disagreements:
            console.print(f"  {line}", soft_wrap=True)
    else:
        console.print("\nThe books close, and the sandbox agrees.", style="bold green")
    console.print(
        f"\nEverything is left in {folder}: sources, tables, checkpoints, logs. Look around with\n"
        f"  .venv/bin/pipeline reconcile --conf {conf}\n"
        f"  SANDBOX_WRITE_KEY=demo .venv/bin/python -m pipeline.sandbox "
        f"--database {folder}/sandbox.db\n"
        "  and then http://127.0.0.1:8899/ in a browser",
        soft_wrap=True,
    )


def _books(verdict: Verdict, written: Mapping[str, int]) -> Table:
    table = Table(
        title="Written upstream = booked = accepted + queued + dead + skipped + cancelled"
    )
    table.add_column("feed")
    for name in ("written", "booked", *KINDS):
        table.add_column(name, justify="right")
    table.add_column("closes")
    for one in verdict.books:
        numbers = (
            written.get(one.feed, 0),
            one.changes,
            *(int(getattr(one, kind)) for kind in KINDS),
        )
        table.add_row(one.feed, *(f"{n:,}" for n in numbers), "yes" if one.closes else "NO")
    return table


def _not_sent(console: Console, ledger: Ledger) -> None:
    """Why messages were not sent, or not taken."""
    reasons = Counter(
        (one.kind, one.feed, one.why) for one in ledger.newest.values() if one.kind != "accepted"
    )
    for (kind, feed, why), number in sorted(reasons.items()):
        console.print(f"  {kind}: {number:,} of {feed} ({why})", soft_wrap=True)


def _sandbox(console: Console, verdict: Verdict) -> None:
    seen = verdict.received
    console.print(
        f"\nThe sandbox received {len(seen.applied):,} different messages, and "
        f"{verdict.repeats:,} repeats with the same ids (answers that were lost). By message id, "
        f"{len(verdict.never_arrived):,} of the accepted ones never arrived there, and "
        f"{len(verdict.unaccounted):,} arrived that are not accepted in the ledger.",
        soft_wrap=True,
    )
