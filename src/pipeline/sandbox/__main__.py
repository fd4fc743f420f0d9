"""`python -m pipeline.sandbox`: start a sandbox from the command line."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pipeline.sandbox.config import Limits, SandboxConfig
from pipeline.sandbox.failure import parse_failures
from pipeline.sandbox.server import serve

KEY_VARIABLE: Final = "SANDBOX_WRITE_KEY"


def parse(arguments: Sequence[str]) -> SandboxConfig:
    """The configuration that the arguments ask for.

    Raises:
        ValueError: They contradict each other, or a file of failures can not be understood.
        OSError: A file can not be read.
    """
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.sandbox",
        description="A local stand-in for Customer.io's Data Pipelines API.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8899, help="0 takes a free one")
    parser.add_argument("--database", type=Path, help="SQLite file; without it, in memory")
    parser.add_argument(
        "--write-key",
        action="append",
        help=f"a key that is let in; may be repeated; else from {KEY_VARIABLE}",
    )
    parser.add_argument("--region", choices=("us", "eu"), default="us")
    parser.add_argument("--failures", type=Path, help="JSON array of failures to start with")
    parser.add_argument("--rate-requests", type=int, default=Limits().rate_requests)
    parser.add_argument("--rate-seconds", type=float, default=Limits().rate_seconds)
    parser.add_argument("--call-bytes", type=int, default=Limits().call_bytes)
    parser.add_argument("--batch-bytes", type=int, default=Limits().batch_bytes)
    parser.add_argument("--alias-in-batch", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument(
        "--no-bodies", action="store_true", help="do not keep what the requests said"
    )
    given = parser.parse_args(arguments)
    from_environment = os.environ.get(KEY_VARIABLE)
    keys = given.write_key or ([from_environment] if from_environment else [])
    return SandboxConfig(
        host=given.host,
        port=given.port,
        database=given.database,
        write_keys=tuple(keys),
        region=given.region,
        limits=Limits(
            call_bytes=given.call_bytes,
            batch_bytes=given.batch_bytes,
            rate_requests=given.rate_requests,
            rate_seconds=given.rate_seconds,
            alias_in_batch=given.alias_in_batch,
        ),
        store_bodies=not given.no_bodies,
        failures=parse_failures(given.failures.read_bytes()) if given.failures else (),
    )


def main() -> int:
    """Serve until stopped; 2 when the arguments are wrong or the port is taken."""
    try:
        asyncio.run(serve(parse(sys.argv[1:])))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
