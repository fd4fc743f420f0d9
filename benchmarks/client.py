"""The typed client beside Customer.io's own: the same events from memory, to the same receiver.

    python benchmarks/client.py [EVENTS]

Rounds alternate in one process, so that a noisy machine is noisy for both; medians are printed.
Ours validates each call by its model, and keeps the order of each person; the other does neither.
"""

import asyncio
import statistics
import sys
import time

import official_client
from events import values
from receivers import received, receiver

from pipeline.client import CustomerIO

EVENTS = 50_000
ROUNDS = 5


def ours(url: str, count: int) -> float:
    """Events a second of one round, from the first call to the last answer."""
    prepared = list(values(0, count))

    async def send() -> float:
        async with CustomerIO("benchmark", base_url=url) as cio:
            began = time.perf_counter()
            for user, properties in prepared:
                await cio.track(user, "Order Completed", properties)
            result = await cio.flush()
            seconds = time.perf_counter() - began
        if not result.ok:
            raise SystemExit(f"not all was accepted: {result!r}")
        return count / seconds

    return asyncio.run(send())


def main() -> int:
    """Measure and print a table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    contenders = {"the typed client": ours, "the official client": official_client.run}
    rounds: dict[str, list[float]] = {name: [] for name in contenders}
    with receiver() as url:
        for _ in range(ROUNDS):
            for name, run in contenders.items():
                rounds[name].append(run(url, count))
        calls = received(url)["calls"]
    if calls != count * ROUNDS * len(contenders):
        raise SystemExit(f"{calls:,} calls arrived, not {count * ROUNDS * len(contenders):,}")
    base = statistics.median(rounds["the official client"])
    print(f"{count:,} events a round, {ROUNDS} rounds each")
    for name, measured in rounds.items():
        median = statistics.median(measured)
        print(f"{name:<20} median {median:>8,.0f} events/s  {median / base:4.2f} x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
