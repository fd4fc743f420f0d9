"""The audit log's chains: whatever is done to them shows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.audit import BEGINNING, AuditEntry, Head, entry_hash, verify

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def chain(writer: str, length: int) -> list[AuditEntry]:
    entries: list[AuditEntry] = []
    for sequence in range(length):
        entry = AuditEntry(
            writer=writer,
            sequence=sequence,
            action="process.started",
            who="ann",
            origin="host/1",
            detail=f'{{"n": {sequence}}}',
            recorded_at=NOON + timedelta(seconds=sequence),
            previous_hash=entries[-1].hash if entries else BEGINNING,
        )
        entries.append(replace(entry, hash=entry_hash(entry)))
    return entries


def head(entries: list[AuditEntry]) -> dict[str, Head]:
    return {e.writer: Head(sequence=e.sequence, hash=e.hash) for e in entries}


def test_whole_chains_have_no_findings() -> None:
    """Two writers, one of which was killed before its last head was written."""
    drain, cli = chain("drain", 5), chain("cli", 3)
    assert verify([*cli, *drain], head(drain) | head(cli[:-1])) == ()
    assert verify([], {}) == ()


@given(st.data())
def test_any_change_is_found(data: st.DataObject) -> None:
    """An entry that is changed or taken out anywhere would go unseen."""
    length = data.draw(st.integers(1, 8))
    entries = chain("cli", length)
    heads = head(entries)
    place = data.draw(st.integers(0, length - 1))
    change = data.draw(st.sampled_from(["detail", "who", "origin", "action", "recorded_at", "out"]))
    if change == "out":
        del entries[place]
    else:
        value = NOON - timedelta(days=1) if change == "recorded_at" else "something else"
        entries[place] = replace(entries[place], **{change: value})
    assert verify(entries, heads)


@given(st.integers(0, 6), st.integers(1, 7))
def test_a_chain_written_anew_is_found_by_its_head(place: int, length: int) -> None:
    """Somebody who hashes all again after a change would go unseen."""
    entries = chain("cli", length)
    heads = head(entries)
    forged: list[AuditEntry] = []
    for entry in entries:
        detail = "{}" if entry.sequence == min(place, length - 1) else entry.detail
        previous = forged[-1].hash if forged else BEGINNING
        new = replace(entry, detail=detail, previous_hash=previous, hash="")
        forged.append(replace(new, hash=entry_hash(new)))
    assert verify(forged, heads)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_chain_that_was_cut_off_is_missed_by_its_head(kept: int) -> None:
    """The newest entries could be removed, or all of them."""
    entries = chain("cli", 3)
    found = verify(entries[:kept], head(entries))
    assert bool(found) == (kept < 3)
    assert "are missing" in found[0].what


def test_entries_beyond_the_head_are_told() -> None:
    """One may be there after a kill; two were not written by the pipeline."""
    entries = chain("cli", 4)
    assert verify(entries, head(entries[:2]))[0].what.startswith("entries 2 to 3 have no head")
