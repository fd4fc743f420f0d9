"""Customer.io's own Python client, fed from memory: no Delta, no ledger, no validation.

Run: python benchmarks/official_client.py URL EVENTS ROUNDS. Prints a JSON list of events/s, one a
round; the batch size is the best of those tried (its default is 100 calls).
"""

import json
import sys
import time

from customerio.analytics import Client
from events import values

UPLOAD_SIZE = 2000
"""Calls a request at most: its own limit of 475,000 bytes comes first."""


def run(url: str, count: int) -> float:
    """Events a second of one round, from the first call to the last answer."""
    prepared = list(values(0, count))
    client = Client(
        "benchmark", host=url, max_queue_size=count + 1, upload_size=UPLOAD_SIZE, max_retries=0
    )
    began = time.perf_counter()
    for user, properties in prepared:
        client.track(user_id=user, event="Order Completed", properties=properties)
    client.flush()
    seconds = time.perf_counter() - began
    client.join()
    return count / seconds


if __name__ == "__main__":
    target, number, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps([run(target, number) for _ in range(rounds)]))
