"""The table of holds, as `pipeline hold list` reads it."""

import json
from datetime import UTC, datetime

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.tables import holds
from pipeline.tables.layout import Layout

BEGAN = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)


def noted(feed, reason="delete_guard"):
    return holds.Noted(
        hold_id=f"{feed}-{reason}",
        job="deliver" if feed else "drain",
        feed=feed,
        reason=reason,
        detail="waits for somebody",
        began_at=BEGAN,
        source_version=7,
        messages=1200,
    )


@pytest.fixture
def where(tmp_path, lay_tables):
    layout = Layout(root=str(tmp_path / "tables"))
    lay_tables(layout)
    return layout


def test_what_ended_is_no_hold_and_the_newest_row_counts(spark, where, tmp_path):
    """A hold that ended would still be shown, or one of another feed would hide it."""
    holds.note(spark, where, noted("people"), "began", (1 << 32) + 1)
    holds.note(spark, where, noted("orders"), "began", (1 << 32) + 1)
    holds.note(spark, where, noted(None, "http_401"), "began", 1)
    holds.note(spark, where, noted("people"), "ended", (1 << 32) + 2)
    holds.note(spark, where, noted("orders"), "left", (1 << 32) + 9)
    found = {one.noted.feed: one for one in holds.current(spark, where)}
    assert set(found) == {"orders", None}
    assert (found["orders"].entry, found["orders"].noted) == ("left", noted("orders"))

    conf = tmp_path / "here.yml"
    conf.write_text(yaml.safe_dump({"tables": {"root": where.root, "checkpoints": "c"}}))
    told = CliRunner().invoke(app, ["hold", "list", "--conf", str(conf), "--json"])
    rows = {row["feed"]: row for row in json.loads(told.stdout)}
    assert rows["orders"]["job_stopped"]
    assert rows["orders"]["began_at"] == BEGAN.isoformat()
    shown = CliRunner().invoke(app, ["hold", "list", "--conf", str(conf)]).stdout
    assert "http_401" in shown
    assert "1,200" in shown
