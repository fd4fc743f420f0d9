"""Play the day: `make game-day`. Prints a line an incident, and writes the table of the docs.

Words choose incidents by their names (`ONLY="key clock"`): the other lines of the table stay.

Ends with 1 where an alert did not come, where the books stay open, or where the sandbox received
anything else than what the books say was accepted.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chaos.disk import empty, fill, small_disk
from gameday.installation import (
    DASHBOARD,
    KEY,
    USUAL,
    WATCH,
    Installation,
    all_there,
    installation,
    until,
)
from pipeline.core.records import BOOKS, OUTCOMES
from pipeline.sandbox.failure import Failure
from pipeline.sandbox.running import running_sandbox

PAGE = Path("docs/game-day.md")
BEGINS, ENDS = "<!-- table: made by make game-day -->", "<!-- end of table -->"
DISK = "400m"
PATIENCE = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What happens, what must fire, and what cures it."""

    name: str
    alerts: tuple[str, ...]
    happens: Callable[[Installation], object]
    cure: Callable[[Installation], object]
    cured_by: str
    recovers: bool = True
    """Whether that is waited for: what looks back a quarter of an hour recovers by itself."""
    meanwhile: Callable[[Installation], object] | None = None
    """Done every second until the alert fires."""
    silent: str | None = None
    """It began when this feed was written last, and may have fired since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of an incident."""

    incident: Incident
    fired: str
    after: float
    shown: str
    recovered: float | None


def main() -> int:
    """The whole day; the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the jobs end, too
    folder = Path(os.environ.get("GAME_DAY") or tempfile.mkdtemp(prefix="game-day-"))
    with small_disk(folder / "disk", DISK) as bounded, running_sandbox(write_key=KEY) as sandbox, \
            installation(folder, sandbox) as one:  # fmt: skip
        _begin(one)
        played = []
        for incident in _incidents(bounded=bounded):
            if sys.argv[1:] and not any(word in incident.name for word in sys.argv[1:]):
                continue
            played.append(_play(one, incident))
            say(_line(played[-1]))
        closed = _close(one)
    _write(played, bounded=bounded, closed=closed)
    if not os.environ.get("GAME_DAY"):
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def say(line: str) -> None:
    """A line for whoever waits."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _begin(one: Installation) -> None:
    """Both jobs run and are well; `visits` has its usual weeks behind it."""
    one.write("orders", 200)
    one.write("visits", USUAL)
    one.start("deliver")
    until("tables", lambda: all_there(one))
    until("books of visits", lambda: any(r["feed"] == "visits" for r in one.rows(BOOKS.name)))
    one.plant_weeks()
    one.start("drain")
    one.start("dashboard", "--port", str(DASHBOARD), "--every", "5")
    until("the dashboard", lambda: "All is well" in _overview(one), PATIENCE)
    one.told.clear()
    say("begins: " + one.overview())


def _overview(one: Installation, since: float = 0.0) -> str:
    with suppress(OSError):
        return one.overview(since)
    return ""


def _play(one: Installation, incident: Incident) -> Played:
    began, before = time.time(), len(one.told)
    if incident.silent is not None:
        began = one.newest[incident.silent]
        before = next((n for n, notice in enumerate(one.told) if notice["at"] >= began), before)
    incident.happens(one)

    def told(state: str, names: tuple[str, ...], since: float = 0.0) -> dict[str, object] | None:
        for notice in one.told[before:]:
            if notice["at"] < since:
                continue  # it recovered from something that was before
            if notice["state"] == state and notice["alert"].startswith(names):
                return notice
        if state == "firing" and incident.meanwhile is not None:
            incident.meanwhile(one)
        return None

    fired = until(incident.name, lambda: told("firing", incident.alerts), PATIENCE)
    seen_from = float(str(fired["at"])) + 2.0
    shown = until("the dashboard's next reading", lambda: _overview(one, seen_from), PATIENCE)
    cured = time.time()
    incident.cure(one)
    recovered = None
    if incident.recovers:
        alone = (str(fired["alert"]),)
        over = until(
            f"{incident.name}: recovery", lambda: told("recovered", alone, cured), PATIENCE
        )
        recovered = float(str(over["at"])) - cured
    return Played(
        incident=incident,
        fired=str(fired["alert"]),
        after=float(str(fired["at"])) - began,
        shown=shown,
        recovered=recovered,
    )


def _fail(failure: Failure, rows: int = 60) -> Callable[[Installation], None]:
    def happens(one: Installation) -> None:
        one.sandbox.client.fail(failure)
        one.write("orders", rows)

    return happens


def _clear(one: Installation) -> None:
    one.sandbox.client.clear()


def _orders(one: Installation) -> None:
    """Upstream goes on writing, a little every few seconds."""
    if int(time.time()) % 4 == 0:
        one.write("orders", 20)


def _wrong_feed(one: Installation) -> None:
    one.stop("deliver")
    call = {"type": "track", "event": "Order Placed", "properties": {"total": "cast(note as int)"}}
    one.feed("orders", insert=call)
    one.write("orders", 300)
    one.start("deliver")


def _restart(one: Installation) -> None:
    one.kill("drain")
    one.start("drain")


def _fill(one: Installation) -> None:
    fill(one.tables.parent)
    one.write("orders", 20)


def _jump(one: Installation) -> None:
    one.write("orders", 30)
    log = max((one.folder / "sources" / "orders" / "_delta_log").glob("*.json"))
    ahead = time.time() + 900
    os.utime(log, (ahead, ahead))  # Delta takes a commit's time from here


def _incidents(*, bounded: bool) -> Iterator[Incident]:
    yield Incident(
        name="the key is revoked", alerts=("hold.http_401",), cure=_clear,
        happens=_fail(Failure(kind="key_revoked")),
        cured_by="the right key; it goes on by itself",
    )  # fmt: skip
    yield Incident(
        name="a flood of poison", alerts=("dead.many",), recovers=False,
        happens=lambda o: o.write("orders", 45, note="x" * 33_000),
        cure=lambda o: o.run("dead", "discard", "--feed", "orders", "--all", "--yes"),
        cured_by="the source's team, then `pipeline dead replay` or `dead discard`",
    )  # fmt: skip
    yield Incident(
        name="a clock jumped", alerts=("clock.skewed",), happens=_jump, recovers=False,
        cure=lambda _: None, cured_by="time synchronisation",
    )  # fmt: skip
    yield Incident(
        name="the API is slow", alerts=("api.slow", "latency.unusual"), cure=_clear,
        recovers=False, meanwhile=_orders,
        happens=_fail(Failure(kind="latency", latency_ms=7_000)),
        cured_by="nothing, unless changes arrive late",
    )  # fmt: skip
    yield Incident(
        name="a mapping is wrong", alerts=("hold.",), happens=_wrong_feed,
        cure=lambda o: o.feed("orders"),
        cured_by="the right feed file; it goes on by itself",
    )  # fmt: skip
    yield Incident(
        name="a source exploded", alerts=("changes.unusual",), recovers=False,
        happens=lambda o: o.write("visits", 30 * USUAL), cure=lambda _: None,
        cured_by="upstream; it is delivered at the allowed rate",
    )  # fmt: skip
    yield Incident(
        name="the API is down (503)", alerts=("hold.circuit_open", "api.failing"), cure=_clear,
        recovers=False, meanwhile=_orders,
        happens=_fail(Failure(kind="status", status=503)),
        cured_by="waiting; `pipeline queue retry` sends at once what waits",
    )  # fmt: skip
    if bounded:
        yield Incident(
            name="the tables' disk is full", alerts=("tables.unwritable",), happens=_fill,
            cure=lambda o: empty(o.tables.parent),
            cured_by="room on the disk; both jobs go on by themselves",
        )  # fmt: skip
    yield Incident(
        name="a source stopped", alerts=("source.silent",), happens=lambda _: None, silent="visits",
        cure=lambda o: o.write("visits", 100), meanwhile=_orders, cured_by="upstream",
    )  # fmt: skip
    yield Incident(
        name="drain is stuck", alerts=("drain.stuck",), cure=_restart,
        happens=lambda o: o.signal("drain", signal.SIGSTOP),
        cured_by="a restart of drain",
    )  # fmt: skip


def _close(one: Installation) -> str:
    """End it, close the books, and compare with the sandbox.

    Raises:
        RuntimeError: they do not close, or what was received is not what was accepted.
    """
    one.sandbox.client.clear()

    def settled() -> bool:
        newest: dict[str, tuple[int, str]] = {}
        for row in one.rows(OUTCOMES.name):
            if row["message_id"] is not None:
                kept = newest.get(row["message_id"], (-1, ""))
                newest[row["message_id"]] = max(kept, (row["number"], row["kind"]))
        ended = sum(kind != "queued" for _, kind in newest.values())
        return ended >= sum(one.written.values())

    until("all is final", settled, PATIENCE, every=10)
    for name in ("deliver", "drain", "dashboard"):
        one.stop(name)
    one.unplant()
    found = json.loads(one.run("reconcile", "--json"))
    say(json.dumps(found)[:1000])
    accepted = {r["message_id"] for r in one.rows(OUTCOMES.name) if r["kind"] == "accepted"}
    received = {row["message_id"] for row in one.sandbox.client.message_ids()}
    if accepted != received:
        raise RuntimeError(f"accepted {len(accepted):,}, received {len(received):,}")
    dead = sum(one.written.values()) - len(accepted)
    return (
        f"{sum(one.written.values()):,} changes, {len(accepted):,} accepted, {dead:,} dead or "
        f"discarded, none missing; the sandbox received the {len(received):,} accepted ones"
    )


def _line(one: Played) -> str:
    recovered = "" if one.recovered is None else f", recovered {one.recovered:.0f} s after the cure"
    return (
        f"| {one.incident.name} | `{one.fired}` | {one.after:.0f} s | {one.shown} | "
        f"{one.incident.cured_by}{recovered} |"
    )


def _write(played: list[Played], *, bounded: bool, closed: str) -> None:
    lines = [
        "| incident | fired | after | the overview's first line and counters | cured by |",
        "| --- | --- | --- | --- | --- |",
        *map(_line, played),
    ]
    if not bounded:
        lines.append("| the tables' disk is full | not played: no right to mount a disk | | | |")
    lines += ["", f"A look every {WATCH} s. Then the books: {closed}."]
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGINS)
    table, _, tail = rest.partition(ENDS)
    known = {line.split("|")[1]: line for line in lines[:2]}
    for line in (*table.splitlines(), *lines):
        if line.startswith("| "):
            known[line.split("|")[1]] = line
    lines = [*known.values(), *lines[-2:]]
    PAGE.write_text(f"{head}{BEGINS}\n" + "\n".join(lines) + f"\n{ENDS}{tail}", encoding="utf-8")
    say("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
