"""Tables of the pipeline with a short history in them."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.core.cipher import encrypt, keyring
from pipeline.core.records import BOOKS, OUTCOMES
from pipeline.tables.layout import Layout
from pipeline.tables.rows import append_rows

KEYS = keyring(bytes(32))
NOW = datetime.now(UTC)


def message(message_id, kind, number=1, **more):
    """A row of outcomes about a message."""
    at = NOW - timedelta(minutes=30 - number)
    return {
        "kind": kind,
        "message_id": message_id,
        "feed": "orders",
        "source_version": 1,
        "call_number": 0,
        "call_type": "track",
        "event": "Order Completed",
        "entity_hash": message_id.encode().ljust(16, b"\0"),
        "number": number,
        "attempts": 0,
        "position": 0,
        "committed_at": NOW - timedelta(minutes=40),
        "recorded_at": at,
        "job": "deliver",
        "slice": 1,
        **more,
    }


def dead(message_id, number=1, reason="http_400", **more):
    """A dead letter with its payload."""
    sealed = encrypt(KEYS, message_id, b"{}", b'{"type":"track"}', bytes(12))
    return message(
        message_id,
        "dead",
        number,
        stage="destination",
        reason=reason,
        payload=sealed,
        payload_key_id=KEYS.current,
        **more,
    )


@pytest.fixture(scope="module")
def where(spark, tmp_path_factory, lay_tables):
    """Ten messages of two feeds in every state, four requests, the books that they close."""
    layout = Layout(root=str(tmp_path_factory.mktemp("tables")))
    lay_tables(layout)
    queued = {"stage": "destination", "reason": "http_503", "next_attempt_at": NOW}
    rows = [
        message("m0", "accepted"),
        message("m1", "queued", **queued),
        message("m1", "accepted", 2, job="drain"),
        message("m2", "queued", **queued),
        dead("m2", 2, reason="attempts_exhausted"),
        dead("m3"),
        dead("m4"),
        message("m4", "queued", 2, stage="command", reason="replay", command_id="c1"),
        message("m5", "skipped", feed="people", reason="unchanged"),
        dead("m6", feed="people", reason="id_missing"),
        message("m7", "queued", feed="people", **queued),
        message("m8", "accepted", feed="people", call_type="identify", event=None),
        message("m9", "accepted", feed="people", event="User Deleted"),
    ]
    request = {"kind": "request", "feed": "orders", "job": "deliver", "endpoint": "/v1/batch"}
    for number, (status, reason) in enumerate(
        [(200, None), (503, "http_503"), (None, "timeout"), (400, "http_400")]
    ):
        rows.append(
            {
                **request,
                "request_id": f"r{number}",
                "status": status,
                "reason": reason,
                "duration_ms": 10.0 * (number + 1),
                "bytes": 1_000,
                "calls": 2,
                "answer": "[value] is wrong" if status == 400 else None,
                "recorded_at": NOW - timedelta(minutes=20),
            }
        )
    task = {"kind": "task", "feed": "orders", "job": "deliver", "calls": 5, "unsent": 0}
    rows += [
        {**task, "circuit": state, "recorded_at": NOW - timedelta(minutes=20 - n)}
        for n, state in enumerate(("closed", "open", "closed"))
    ]
    append_rows(spark, layout, OUTCOMES, rows)
    append_rows(
        spark,
        layout,
        BOOKS,
        [
            {
                "feed": feed,
                "table_id": "t",
                "source_version": 1,
                "origin": "commit",
                "changes": 5,
                "deletes": 0,
                "messages": 5,
                "committed_at": NOW - timedelta(minutes=40),
                "booked_at": NOW - timedelta(minutes=35),
            }
            for feed in ("orders", "people")
        ],
    )
    return layout
