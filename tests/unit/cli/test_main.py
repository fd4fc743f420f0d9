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
