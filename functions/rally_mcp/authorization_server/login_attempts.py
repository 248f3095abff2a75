"""Failed client logins, counted across all instances: a secret is not guessed from one address."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rally_mcp import logs
from rally_mcp.errors import RateLimited, UpstreamUnavailable
from rally_mcp.storage.collection import Collection, Record

ATTEMPTS = "attempts"

WINDOW = timedelta(minutes=5)
"""From the first failure to the end of the count."""

MOST_FAILURES = 10
"""Enough for a person who mistypes a configuration; nothing against a secret of 256 bits."""


class FailedLogins(Record):
    """The failures of one client from one address; `expire_at` is the end of the window."""

    failures: int


@dataclass(frozen=True, slots=True)
class LoginAttempts:
    """Refuses a client login from an address that failed too often.

    `client_id` is None for a client that does not exist, or whose id anybody can make up: these
    count together, by address alone, so that made-up ids neither fill the store nor bring more
    tries. Logins that are under way while the last failure is counted are not stopped.

    A store that is down lets logins through, with a warning in the log: this limit guards secrets
    that cannot be guessed anyway. ConfigurationError passes: it does not end by itself, and
    nothing else would work either.
    """

    records: Collection[FailedLogins]
    clock: Callable[[], datetime]
    limited: bool
    """Whether there is a limit at all (RATE_LIMITS)."""

    async def check(self, client_id: str | None, address: str) -> None:
        """Raise RateLimited after ten failures within five minutes, until these are over.

        Call it before the secret is compared: a refusal then does not tell whether it was right.
        It is not for clients that have no secret, whom the failures of others at the same address
        would keep out.
        """
        if not self.limited:
            return
        try:
            record = await self.records.get(_key(client_id, address))
        except UpstreamUnavailable as error:
            _not_kept(error)
            return
        if record and record.failures >= MOST_FAILURES:
            seconds = math.ceil((record.expire_at - self.clock()) / timedelta(seconds=1))
            raise RateLimited(
                f"Too many failed logins; try again in {seconds} s.", retry_after=max(seconds, 1)
            )

    async def failed(self, client_id: str | None, address: str) -> None:
        """Count a failure (`invalid_client` and nothing else)."""
        if not self.limited:
            return
        key = _key(client_id, address)
        first = FailedLogins(failures=1, expire_at=self.clock() + WINDOW)
        try:
            if await self.records.update(key, _one_more) or await self.records.create(key, first):
                return
            # Another first failure was faster; this one joins it.
            await self.records.update(key, _one_more)
        except UpstreamUnavailable as error:
            _not_kept(error)


def _key(client_id: str | None, address: str) -> str:
    who = json.dumps(["client login", client_id or "", address])
    return hashlib.sha256(who.encode()).hexdigest()


def _one_more(record: FailedLogins) -> FailedLogins | None:
    """Count up to the limit: beyond it, nothing is gained by colliding over the record."""
    if record.failures >= MOST_FAILURES:
        return None
    return record.model_copy(update={"failures": record.failures + 1})


def _not_kept(error: UpstreamUnavailable) -> None:
    logs.event("WARNING", "the login limit could not be kept", cause=type(error.__cause__).__name__)
