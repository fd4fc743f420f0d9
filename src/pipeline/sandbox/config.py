"""What a sandbox is started with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pipeline.sandbox.failure import Failure

Region = Literal["us", "eu"]

BODY_BYTES_MAX: Final = 64 * 1024 * 1024
"""A body over this is refused by the server itself, before anything looks at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The published limits; the lower ones where sources disagree. Sizes in decimal bytes.

    https://docs.customer.io/integrations/api/cdp/
    """

    call_bytes: int = 32_000
    batch_bytes: int = 500_000
    rate_requests: int = 3_000
    rate_seconds: float = 3.0
    alias_in_batch: bool = True
    """The specification leaves alias out of `/v1/batch`; the official Python client sends it."""

    def __post_init__(self) -> None:
        """Refuse limits that nothing could pass.

        Raises:
            ValueError: A limit is not positive.
        """
        for name in ("call_bytes", "batch_bytes", "rate_requests", "rate_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"limits.{name} must be greater than 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """A sandbox: where it listens, what it keeps, whom it lets in."""

    database: Path | None
    """SQLite file; none keeps everything in memory."""
    write_keys: tuple[str, ...]
    host: str = "127.0.0.1"
    port: int = 8899
    """0 takes a free port; the line that says where it listens names it."""
    region: Region = "us"
    limits: Limits = Limits()
    store_bodies: bool = True
    """Keep each request's body, so that what a call said can be asked for."""
    flush_seconds: float = 0.25
    """How often what was received is committed to the file."""
    failures: tuple[Failure, ...] = ()
    """Failures scheduled from the start."""

    def __post_init__(self) -> None:
        """Refuse keys that can never match.

        Raises:
            ValueError: No key, an empty key, or a key that names another region.
        """
        if not self.write_keys or not all(self.write_keys):
            raise ValueError("the sandbox needs a write key: give --write-key")
        other = "eu" if self.region == "us" else "us"
        for key in self.write_keys:
            if key.startswith((f"pk_{other}_", f"sk_{other}_")):
                raise ValueError(
                    f"a write key is made for region {other}, but this sandbox is {self.region}: "
                    f"give a key of that region, or --region {other}"
                )
