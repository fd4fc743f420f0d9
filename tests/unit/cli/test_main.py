"""How the command line ends."""

import pytest

from pipeline.cli import main


def test_success_returns_and_a_refusal_exits(capsys, tmp_path):
    """A Databricks task takes any exit for a failure, and a return for a success."""
    main(["--help"])
    with pytest.raises(SystemExit) as usage:
        main(["no-such-command"])
    assert usage.value.code == 2
    with pytest.raises(SystemExit) as refused:
        main(["tables", "create", "--conf", str(tmp_path / "none.yml")])
    assert refused.value.code == 2
    assert "there is no such settings file" in capsys.readouterr().err


def test_what_a_job_leaves_empty_is_not_given(monkeypatch):
    """The job replay, started without a reason, would look for dead letters with an empty one."""
    given = []
    monkeypatch.setattr("pipeline.cli.app", given.extend)
    main(["replay", "--feed=a=b", "--reason=", "--stale=false", "--dry-run=true", "--conf", "c"])
    assert given == ["replay", "--feed=a=b", "--dry-run", "--conf", "c"]


def test_a_job_without_a_feed_is_told_so(capsys):
    """An empty name of a feed would be looked for, and the refusal would name nothing."""
    with pytest.raises(SystemExit):
        main(["replay", "--feed=", "--dry-run=true"])
    assert "--feed" in capsys.readouterr().err


def test_only_a_replay_may_be_stale(capsys):
    """A discard that takes the word and does nothing with it would seem to have heeded it."""
    with pytest.raises(SystemExit):
        main(["dead", "discard", "--stale", "--all"])
    assert "--stale is for replay" in capsys.readouterr().err
