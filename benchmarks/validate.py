"""What validating one track event costs, beside `json.loads` of the same bytes in the same run.

    python benchmarks/validate.py

Rounds alternate, so that a noisy machine is noisy for all; medians and their ratio are printed.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable

from pydantic import TypeAdapter

from pipeline.core.api.calls import Call
from pipeline.core.api.check import check_line
from pipeline.core.api.limits import Limits

EVENTS = 20_000
ROUNDS = 15
EVENT = {
    "type": "track",
    "messageId": "01JD2Z8K6T4Q0V5X7B9N1M3P5R",
    "userId": "household-1042",
    "event": "Basket Paid",
    "timestamp": "2026-11-22T10:00:00.000Z",
    "properties": {
        "order_id": "basket-31198459",
        "total": 42.17,
        "subtotal": 44.1,
        "discount": 1.93,
        "coupon": "C-10000",
        "currency": "USD",
        "store_id": "367",
        "week": 41,
        "lines": 12,
        "channel": "in store",
        "first_of_year": False,
    },
}
BODY = json.dumps(EVENT, separators=(",", ":")).encode()


def microseconds(read: Callable[[bytes], object]) -> float:
    """One round: microseconds an event."""
    start = time.perf_counter()
    for _ in range(EVENTS):
        read(BODY)
    return (time.perf_counter() - start) / EVENTS * 1e6


def main() -> int:
    """Measure and print a table."""
    validate, limits = TypeAdapter(Call).validate_json, Limits()
    contenders: dict[str, Callable[[bytes], object]] = {
        "json.loads": json.loads,
        "validate_json": validate,
        "validate_json, limits given": lambda body: validate(body, context=limits),
        "check_line": check_line,
    }
    rounds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, read in contenders.items():
            rounds[name].append(microseconds(read))
    base = statistics.median(rounds["json.loads"])
    print(f"{len(BODY)} bytes an event, {ROUNDS} rounds of {EVENTS:,}")
    for name, measured in rounds.items():
        median = statistics.median(measured)
        print(
            f"{name:<28} median {median:5.2f} us  best {min(measured):5.2f} us"
            f"  {median / base:4.2f} x json.loads"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
