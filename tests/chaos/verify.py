"""Hold what arrived against what was to arrive. No code of the pipeline but its table names.

What people have is read from the receiver's SQLite file alone, and compared with the source rows.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable

from chaos.shop import POISON, Shop

END = {"accepted", "dead", "skipped", "cancelled"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts; all but *messages* and *repeated* are violations where they are not nought."""

    messages: int
    lost: int
    """Source rows that neither arrived nor ended as a known dead letter."""
    twice: int
    """Messages with two end states, or two outcomes of one number."""
    repeated: int
    """Arrivals beyond the first of a message id; allowed within *bound*."""
    bound: int
    differing: int
    """Repeats whose bytes differ from the first arrival's."""
    out_of_order: int
    """Pairs of one person's orders whose first arrivals came the wrong way round."""
    wrong_people: int
    """People whose attributes are not what their source row says."""
    unbooked: int
    """Versions whose messages in the ledger are not as many as were booked."""

    @property
    def holds(self) -> bool:
        """Whether every promise held."""
        bad = (
            self.lost, self.twice, self.differing, self.out_of_order, self.wrong_people,
            self.unbooked,
        )  # fmt: skip
        return not any(bad) and self.repeated <= self.bound


def rows(shop: Shop, table: str, *columns: str) -> list[dict]:
    """Columns of one of the pipeline's tables, as they are stored."""
    found = DeltaTable(str(shop.folder / "tables" / table)).to_pyarrow_table(columns=list(columns))
    return found.to_pylist()


def settled(shop: Shop) -> bool:
    """Whether every order has an end state and nothing waits."""
    kinds = states(shop)
    orders = [feed for feed, _, history in kinds.values() if feed == "orders" and history]
    waiting = [1 for _, _, history in kinds.values() if history[-1][1] not in END]
    return len(orders) == shop.upstream.orders and not waiting and not _unsettled_people(shop)


def states(shop: Shop) -> dict[str, tuple[str, int, list[tuple[int, str]]]]:
    """Feed, source version and outcomes (number, kind) of each message, in order."""
    found: dict[str, tuple[str, int, list[tuple[int, str]]]] = {}
    columns = ("kind", "message_id", "feed", "source_version", "number", "packed", "packed_ids")
    for row in rows(shop, "outcomes", *columns):
        if row["kind"] in END | {"queued"}:
            for message_id in _ids(row):
                one = found.setdefault(message_id, (row["feed"], row["source_version"], []))
                one[2].append((row["number"], row["kind"]))
    for _, _, history in found.values():
        history.sort()
    return found


def _ids(row: dict) -> list[str]:
    """The messages that a row of outcomes is about: one, or many that it holds packed."""
    if row["packed"] is None:
        return [row["message_id"]]
    text = row["packed_ids"].decode()
    found = [text[at : at + 26] for at in range(0, len(text), 26)]
    assert len(found) == row["packed"]
    return found


def verify(shop: Shop, kills: int, lost_answers: int = 0) -> Verdict:
    """Everything, after it has settled."""
    database = sqlite3.connect(f"file:{shop.sandbox.database}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    try:
        histories = states(shop)
        repeated, differing = _repeats(database)
        slices = Counter[int]()
        for row in rows(shop, "outcomes", "kind", "job", "feed", "slice", "calls"):
            if row["kind"] == "task":
                slices[row["job"], row["feed"], row["slice"]] += row["calls"]
        return Verdict(
            messages=len(histories),
            lost=_lost(database, shop),
            twice=sum(_twice(history) for _, _, history in histories.values()),
            repeated=repeated,
            bound=(kills + lost_answers) * max(slices.values(), default=0),
            differing=differing,
            out_of_order=_out_of_order(database),
            wrong_people=len(_wrong_people(database, shop)),
            unbooked=_unbooked(shop, histories),
        )
    finally:
        database.close()


def _twice(history: list[tuple[int, str]]) -> bool:
    numbers = [number for number, _ in history]
    ends = [kind for _, kind in history if kind in END]
    return len(set(numbers)) != len(numbers) or len(ends) > 1 or history[-1][1] not in END


def _repeats(database: sqlite3.Connection) -> tuple[int, int]:
    """Arrivals beyond the first, and how many of them differ from it."""
    call = "substr(r.body, a.offset + 1, a.bytes)"
    repeated = differing = 0
    for (text,) in database.execute(
        f"SELECT json_group_array(hex({call})) FROM arrivals a JOIN requests r USING (request)"
        " WHERE a.dropped IS NULL GROUP BY a.message_id HAVING count(*) > 1"
    ):
        bodies = json.loads(text)
        repeated += len(bodies) - 1
        differing += sum(body != bodies[0] for body in bodies)
    return repeated, differing


def _arrived_orders(database: sqlite3.Connection) -> list[tuple[str, str]]:
    """Person and order id, in the order of first arrivals."""
    call = "json_extract(substr(r.body, a.offset + 1, a.bytes), '$.properties.order_id')"
    found = database.execute(
        f"SELECT a.user_id, {call} AS order_id FROM arrivals a JOIN requests r USING (request)"
        " WHERE a.event = 'Order Placed' AND a.dropped IS NULL"
        " GROUP BY a.message_id HAVING a.seq = min(a.seq) ORDER BY a.seq"
    )
    return [(row[0], row[1]) for row in found]


def _lost(database: sqlite3.Connection, shop: Shop) -> int:
    wanted = {
        row["order_id"]
        for row in DeltaTable(shop.upstream.table("orders")).to_pyarrow_table().to_pylist()
        if row["person_id"] != POISON and len(row["note"]) < 30_000
    }
    return len(wanted ^ {order for _, order in _arrived_orders(database)})


def _out_of_order(database: sqlite3.Connection) -> int:
    newest: dict[str, str] = {}
    wrong = 0
    for person, order in _arrived_orders(database):
        wrong += order < newest.get(person, "")
        newest[person] = max(order, newest.get(person, ""))
    return wrong


def _people(database: sqlite3.Connection) -> dict[str, dict]:
    return {
        row["user_id"]: {} if row["last_seq"] <= row["deleted_seq"] else json.loads(row[1])
        for row in database.execute("SELECT user_id, attributes, last_seq, deleted_seq FROM people")
    }


def _wrong_people(database: sqlite3.Connection, shop: Shop) -> set[str]:
    """People whose last state is not their source row's; who was deleted has no attributes."""
    source = {
        row["person_id"]: {"email": row["email"], "age": row["age"]}
        for row in DeltaTable(shop.upstream.table("people")).to_pyarrow_table().to_pylist()
    }
    found = _people(database)
    wanted = {**{name: {} for name in shop.upstream.deleted}, **source}
    return {
        name
        for name, attributes in wanted.items()
        if {k: v for k, v in found.get(name, {}).items() if k in {"email", "age"}} != attributes
    }


def _unsettled_people(shop: Shop) -> set[str]:
    shop.sandbox.client.counts()  # waits until what was answered is in the file
    database = sqlite3.connect(f"file:{shop.sandbox.database}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    try:
        return _wrong_people(database, shop)
    finally:
        database.close()


def _unbooked(shop: Shop, histories: dict[str, tuple[str, int, list]]) -> int:
    ledger = Counter((feed, version) for feed, version, _ in histories.values())
    booked: dict[tuple[str, int], set[int]] = defaultdict(set)
    for row in rows(shop, "books", "feed", "source_version", "origin", "messages"):
        if row["origin"] in {"snapshot", "commit"}:
            booked[row["feed"], row["source_version"]].add(row["messages"])
    keys = set(ledger) | set(booked)
    return sum(booked.get(key, {0}) != {ledger.get(key, 0)} for key in keys)


def log_tail(folder: Path, name: str, lines: int = 30) -> str:
    """The end of a job's log, for a failure's message."""
    text = (folder / f"{name}.log").read_text(errors="replace").splitlines()
    return "\n".join(text[-lines:])
