"""Reports of the streams: what Spark says is kept, what it does not say stays absent."""

import json
from types import SimpleNamespace

from pipeline.streams import progress as module
from pipeline.streams.progress import ProgressListener, progress_row, write

REPORT = {
    "name": "deliver_orders",
    "runId": "r",
    "batchId": 3,
    "timestamp": "2026-11-23T02:00:00.000Z",
    "numInputRows": 12,
    "durationMs": {"triggerExecution": 840},
}


def event(**changed):
    return SimpleNamespace(progress=SimpleNamespace(json=json.dumps(REPORT | changed)))


def test_figures_that_are_absent_stay_absent():
    """Nought would say that nothing was read, or that it took no time."""
    row = progress_row(json.dumps({"name": "q", "timestamp": REPORT["timestamp"]}))
    assert row["input_rows"] is None
    assert row["duration_ms"] is None
    full = progress_row(json.dumps(REPORT))
    assert (full["input_rows"], full["duration_ms"], full["batch_id"]) == (12, 840, 3)
    assert full["recorded_at"].tzinfo is not None
    assert progress_row(json.dumps(REPORT | {"batchDuration": 900}))["duration_ms"] == 900


def test_a_report_that_cannot_be_read_does_no_harm():
    """An error in a listener must never reach the stream."""
    listener = ProgressListener()
    listener.onQueryProgress(SimpleNamespace(progress=SimpleNamespace(json="no JSON")))
    listener.onQueryProgress(SimpleNamespace(progress=None))
    listener.onQueryProgress(event())
    assert len(listener.rows) == 1


def test_reports_are_written_together_and_kept_when_that_fails(monkeypatch):
    """Many reports are one commit; a table that cannot be written loses none of them."""
    commits = []

    def append(_spark, _where, _table, rows):
        if not commits:
            commits.append("failed")
            raise OSError("disk full")
        commits.append([row["batch_id"] for row in rows])

    monkeypatch.setattr(module, "append_rows", append)
    listener = ProgressListener()
    for number in range(3):
        listener.onQueryProgress(event(batchId=number))
    assert write(None, None, listener) == 0
    listener.onQueryProgress(event(batchId=3))
    assert write(None, None, listener) == 4
    assert commits == ["failed", [0, 1, 2, 3]]
    assert not listener.rows


def test_what_waits_is_bounded():
    """A table that cannot be written for days must not fill the driver's memory."""
    listener = ProgressListener()
    for number in range(module.KEPT + 5):
        listener.onQueryProgress(event(batchId=number))
    assert len(listener.rows) == module.KEPT
    assert listener.rows[0]["batch_id"] == 5
