"""Which views and tables a query needs."""

from pipeline.tables.views import VIEWS, named_in


def test_what_stands_behind_a_view_is_named_too():
    """A page would mix two moments, or make views that it does not read."""
    found = named_in(["SELECT count(*) FROM dead_letters d JOIN current_holds h ON true"])
    assert found == {"dead_letters", "current_holds", "message_outcomes", "outcomes", "holds"}
    assert named_in(["SELECT * FROM ledger"]) == {"ledger", "message_outcomes", "outcomes"}
    assert {"ledger", "books", "outcomes"} <= named_in(["SELECT * FROM reconciliation"])
    assert named_in(["SELECT 1 AS ledgers"]) == frozenset()
    assert VIEWS.keys() <= named_in(VIEWS)
