"""Keys that are read again while a job runs, so that a new one is taken without a restart."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from pipeline.keys import KeysError, Secrets, fingerprint, load_keys
from pipeline.log import logger
from pipeline.settings import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """Which key came after which, by their public names."""

    what: str
    before: str
    after: str


@dataclass(slots=True)
class LiveKeys:
    """The keys as they are now: read again at most every `keys.reload`.

    A read that fails, and a hashing key that changed, leave what was there: a job that runs must
    not stop because a scope is out of reach for a minute.
    """

    settings: Keys
    secrets: Secrets
    load: Callable[[Keys], Secrets] = load_keys
    clock: Callable[[], float] = time.monotonic
    changes: deque[KeyChange] = field(default_factory=deque)
    """For the audit log; whoever writes it there takes it from here."""
    _read_at: float = field(init=False)

    def __post_init__(self) -> None:
        """The keys were just read."""
        self._read_at = self.clock()

    def current(self) -> Secrets:
        """The keys to use now."""
        now = self.clock()
        if not 0 <= now - self._read_at < self.settings.reload.total_seconds():
            self._read_at = now
            self._reload()
        return self.secrets

    def _reload(self) -> None:
        try:
            found = self.load(self.settings)
        except KeysError as error:
            logger().warning("key.not_reloaded", reason=str(error))
            return
        except Exception as error:  # noqa: BLE001  the network's; the old keys still work
            logger().warning("key.not_reloaded", reason=type(error).__name__)
            return
        before = self.secrets
        if found.hashing_key != before.hashing_key:
            logger().error("key.hashing_changed", kept="the one that this job began with")
            found = replace(found, hashing_key=before.hashing_key)
        self.secrets = found
        for what, was, now in (
            ("api_key", fingerprint(before.api_key), fingerprint(found.api_key)),
            ("encryption_key", before.payload_keys.current, found.payload_keys.current),
        ):
            if was != now:
                self.changes.append(KeyChange(what=what, before=was, after=now))
                logger().info("key.changed", key=what, before=was, after=now)
