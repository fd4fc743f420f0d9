"""How many requests the API takes: a sliding window. Pure: time is given."""

from collections import deque


class RateWindow:
    """At most `requests` in any `seconds`; what was refused does not count."""

    __slots__ = ("_admitted", "_requests", "_seconds")

    def __init__(self, requests: int, seconds: float) -> None:
        self._requests = requests
        self._seconds = seconds
        self._admitted: deque[float] = deque()

    def admit(self, now: float) -> bool:
        """Whether a request at *now* (seconds, never going back) is within the rate."""
        admitted = self._admitted
        while admitted and admitted[0] <= now - self._seconds:
            admitted.popleft()
        if len(admitted) >= self._requests:
            return False
        admitted.append(now)
        return True
