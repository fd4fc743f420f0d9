"""What a tick of drain takes for due."""

from types import SimpleNamespace

import pytest

from pipeline.streams import drain
from pipeline.streams.drain import Drain


@pytest.mark.parametrize(("once", "moments"), [(True, 1), (False, 3)])
def test_a_run_that_shall_end_looks_at_one_moment(monkeypatch, once, moments):
    """With waits that are shorter than a tick, `drain --available-now` would never end."""
    asked = []
    monkeypatch.setattr(drain, "find_due", lambda *given: asked.append(given[2]))
    settings = SimpleNamespace(triggers=SimpleNamespace(drain_rows=1))
    runtime = SimpleNamespace(settings=settings, where=None)
    one = Drain(runtime, claim=None, once=once)
    for number in range(3):
        assert one._send_due(None, number, (), 0).sent == 0
    assert len(set(asked)) == moments
