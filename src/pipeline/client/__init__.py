"""Every call of the Customer.io Data Pipelines API, typed, for people, scripts and notebooks.

In a notebook or a script, without `await`:

    from pipeline.client import SyncCustomerIO

    with SyncCustomerIO("<write key>", region="eu") as cio:
        cio.identify("42", {"email": "ada@example.org", "plan": "gold"})
        cio.track("42", "Order Completed", {"order_id": "A-1", "total": 12.5})
        print(cio.flush())                       # 2 accepted (1 request)

In asynchronous code the same calls are awaited:

    async with CustomerIO("<write key>") as cio:
        await cio.identify("42", {"plan": "gold"})
        print(await cio.flush())

How to construct either:

- `CustomerIO(write_key, region="us" | "eu")`; the key is a text or a pydantic `SecretStr`;
- `CustomerIO(write_key, base_url=sandbox.base_url)` for a local sandbox or a gateway;
- `CustomerIO.from_settings("conf/prod.yml")`: destination, limits and keys of a target;
- `spool="folder"` with either keeps calls, encrypted, while the API can't be reached; without
  settings give it `keys=pipeline.core.cipher.keyring(<32 bytes>)`.

A call that the API would not take raises `CallRefusedError` at once, with its `problems`. What the
destination made of the others says `flush()`: a `Result` with counts and refusals. Leaving with
calls that were not delivered raises `UndeliveredError`, unless a spool has them.

The models of documented events are in `pipeline.core.api` (`ecommerce`, `video`, ...):
`cio.track("42", OrderCompleted, {...})` or `cio.send(OrderCompleted(user_id="42", ...))`.
"""

from pipeline.client.client import CustomerIO
from pipeline.client.message import CallRefusedError
from pipeline.client.options import Options
from pipeline.client.result import Refusal, Result, UndeliveredError
from pipeline.client.spool import SpoolError
from pipeline.client.sync import SyncCustomerIO

__all__ = [
    "CallRefusedError",
    "CustomerIO",
    "Options",
    "Refusal",
    "Result",
    "SpoolError",
    "SyncCustomerIO",
    "UndeliveredError",
]
