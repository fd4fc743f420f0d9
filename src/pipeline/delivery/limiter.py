"""A token bucket: so many requests a second, with a short burst. It starts empty."""

import asyncio
from collections.abc import Awaitable, Callable

BURST_SECONDS = 0.15
"""Of the rate that may be saved up: with it, three seconds at 95% of the published rate have no
more requests than that rate allows in three seconds."""


class Limiter:
    """Lets `take` through at *rate* a second, first come, first served."""

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if rate <= 0:
            raise ValueError(f"a rate is above zero, not {rate}")
        self._rate = rate
        self._burst = max(1.0, rate * BURST_SECONDS)
        self._clock = clock
        self._sleep = sleep
        self._tokens = 0.0
        self._filled_at = clock()

    async def take(self) -> None:
        """Wait for a token. A debt is taken at once, so that waiters queue up in order."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        self._tokens -= 1
        if self._tokens < 0:
            await self._sleep(-self._tokens / self._rate)
