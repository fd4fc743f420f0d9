"""A claim's numbers, and the proof before a restart, without Spark."""

from types import SimpleNamespace

from pipeline.core.lease import txn_version
from pipeline.streams import claim as claims
from pipeline.streams.claim import Claim
from pipeline.tables.leases import Held


def test_only_a_restart_proves_that_it_can_write(monkeypatch):
    """A restart would send a slice that nobody can record; or each start would cost a commit."""
    fenced = []
    monkeypatch.setattr(claims.outcomes, "fence", lambda *given: fenced.append(given[2:]))
    held = Held(name="drain", epoch=3, holder="me", taken_over=False, at=0)
    one = Claim(held)
    one.prove(None, SimpleNamespace(where=None))
    assert fenced == []
    first = one.next_number()
    one.prove(None, SimpleNamespace(where=None))
    assert fenced == [(held.app, txn_version(3, 2))]
    assert first < fenced[0][1] < one.next_number()
