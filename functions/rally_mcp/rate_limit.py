"""Limits on how often one caller may ask, kept in the memory of one process.

Another instance counts for itself, so a limit holds per instance. What must hold across instances
is counted in the store (`authorization_server.login_attempts`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter

from rally_mcp.errors import RateLimited


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` requests at once, then `per_minute` on average (a token bucket)."""

    burst: int
    per_minute: float


class RateLimit:
    """One limit for any number of keys, each with a bucket of its own.

    At most `most_keys` are remembered. Where there are more, buckets that are full again are
    forgotten, which changes nothing, then those nearest to full. So a flood of fresh keys pushes
    itself out first; a key that is being limited starts anew only where nine tenths of
    `most_keys` others are nearer to empty.
    """

    def __init__(
        self, rate: Rate, clock: Callable[[], datetime], *, most_keys: int = 10_000
    ) -> None:
        self._clock = clock
        self._most_keys = most_keys
        self._refill_of_one = timedelta(seconds=60 / rate.per_minute)
        self._refill_of_all = self._refill_of_one * rate.burst
        self._full_at: dict[str, datetime] = {}
        """When each bucket will be full again: all that there is to know about it."""

    @classmethod
    def off(cls) -> "RateLimit":
        """Return a limit that refuses nothing and remembers nobody."""
        unlimited = Rate(burst=1, per_minute=math.inf)
        return cls(unlimited, lambda: datetime.fromtimestamp(0, UTC), most_keys=0)

    def take(self, key: str) -> None:
        """Count one request. Raises RateLimited, and counts nothing, where none is left."""
        now = self._clock()
        self._full_at[key] = self._checked(key, now) + self._refill_of_one
        if len(self._full_at) > self._most_keys:
            self._make_room()

    def check(self, key: str) -> None:
        """Raise RateLimited where `take` would; count nothing."""
        self._checked(key, self._clock())

    def _checked(self, key: str, now: datetime) -> datetime:
        """Return when the bucket is full, from which one more request is known to fit."""
        empty = now + self._refill_of_all
        # Emptier than empty means that the clock was set back, which must keep nobody out.
        full_at = min(max(self._full_at.get(key, now), now), empty)
        missing = full_at + self._refill_of_one - empty
        if missing > timedelta():
            self._full_at[key] = full_at
            seconds = math.ceil(missing / timedelta(seconds=1))
            raise RateLimited(f"Too many requests; try again in {seconds} s.", retry_after=seconds)
        return full_at

    def _make_room(self) -> None:
        """Forget enough at once that sorting does not cost every request."""
        emptiest_first = sorted(self._full_at.items(), key=itemgetter(1), reverse=True)
        self._full_at = dict(emptiest_first[: self._most_keys - self._most_keys // 10])
