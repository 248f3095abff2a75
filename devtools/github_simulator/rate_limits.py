"""The rate limit headers of each answer. Nothing is refused by them: faults do that."""

from collections.abc import Callable
from datetime import datetime, timedelta

_LIMITS = {"core": (5000, timedelta(hours=1)), "search": (30, timedelta(minutes=1))}


class RateLimits:
    """Counts the requests of each user and resource in windows that start with the first."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._windows: dict[tuple[str, str], tuple[datetime, int]] = {}

    def headers(self, user: str, resource: str) -> dict[str, str]:
        """Count one request and return the headers that tell of it; `resource` is core or search.

        `x-ratelimit-reset` is in seconds since 1970.
        """
        limit, length = _LIMITS[resource]
        ends_at, used = self._windows.get((user, resource), (self._clock() + length, 0))
        if self._clock() >= ends_at:
            ends_at, used = self._clock() + length, 0
        self._windows[user, resource] = (ends_at, used + 1)
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(limit - used - 1, 0)),
            "X-RateLimit-Used": str(used + 1),
            "X-RateLimit-Reset": str(int(ends_at.timestamp())),
            "X-RateLimit-Resource": resource,
        }
