"""`pipeline check` as it is called."""

import json

import pytest

from pipeline.cli import main

CALL = {"type": "identify", "userId": "u"}


@pytest.mark.parametrize(("call_bytes", "status"), [(1_000, 0), (30, 1)])
def test_the_limits_are_those_of_the_target(tmp_path, capsys, call_bytes, status):
    """A call would pass the check and be refused by the jobs, or the other way round."""
    conf, messages = tmp_path / "test.yml", tmp_path / "calls.ndjson"
    tables = {"root": "tables", "checkpoints": "checkpoints"}
    conf.write_text(json.dumps({"limits": {"call_bytes": call_bytes}, "tables": tables}))
    messages.write_text(json.dumps(CALL) + "\n")
    try:
        main(["check", "--messages", str(messages), "--conf", str(conf)])
        ended = 0
    except SystemExit as end:
        ended = end.code
    assert ended == status
    assert "1 lines: " in capsys.readouterr().out
