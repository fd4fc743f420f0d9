"""The runner of the demo notebooks: what it lets pass."""

import importlib.util
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

PATH = Path(__file__).parents[2] / "notebooks" / "run.py"
SPEC = importlib.util.spec_from_file_location("notebooks_run", PATH)
runner = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(runner)


def notebook_with(output):
    return new_notebook(cells=[new_code_cell("1 + 1", outputs=[output])])


@pytest.mark.parametrize(
    "output",
    [
        new_output("stream", name="stderr", text="anything"),
        new_output("stream", name="stdout", text="live.py:260: UserWarning: install it"),
        new_output("stream", name="stdout", text='{"event": "audit.recorded", "level": "info"}'),
        new_output("stream", name="stdout", text="Traceback (most recent call last):"),
        new_output("display_data", data={"text/plain": "a.py:1: FutureWarning: soon"}),
    ],
)
def test_noise_is_told(output):
    """A notebook would be shown with warnings between its tables, and nobody would notice."""
    assert "1 + 1" in runner.noise(notebook_with(output))


def test_plain_outputs_are_none():
    """A notebook that says what it should would be called failed."""
    assert runner.noise(notebook_with(new_output("stream", name="stdout", text="200 wait"))) is None
