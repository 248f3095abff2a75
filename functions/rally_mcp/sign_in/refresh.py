"""Refreshing active tokens once across all instances, through the record itself.

    take the lease        one instance wins; it is over after LEASE_TTL, killed instance or not
    refresh upstream      bounded in all by less than the lease
    write, generation+1   only while the lease is still held

The others wait and read, and see the generation grow. Whoever is merely early keeps using the
old access token meanwhile.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio

from rally_mcp.audit import AuditEvent
from rally_mcp.crypto import random_secret
from rally_mcp.errors import RallyMcpError, UpstreamError, UpstreamUnavailable
from rally_mcp.identity_providers.declaration import TokenResponse
from rally_mcp.identity_providers.token_endpoint import GrantRefused
from rally_mcp.sign_in.active_slot import ActiveSlot
from rally_mcp.sign_in.records import ActiveTokens, Lease

LEASE_TTL = timedelta(seconds=10)
"""Longer than a token request may take, short enough to wait out after a killed instance."""

_LONGEST_WAIT = timedelta(seconds=25)
"""How long a caller waits for somebody else's refresh: two leases and a little."""

_STILL_USABLE = timedelta(seconds=2)
"""An access token this close to its end is not sent any more."""

_FIRST_WAIT, _NEXT_WAIT, _SLOWEST_WAIT = 0.05, 1.6, 1.0
"""Seconds before the first look, factor to the next, and seconds at most between two looks."""


@dataclass(frozen=True, slots=True)
class Refresh:
    """One caller's wish for newer tokens than those it has."""

    slot: ActiveSlot
    title: str
    """The upstream's, for people to read."""
    renew: Callable[[str], Awaitable[TokenResponse]]
    """The request itself; it gets the refresh token."""
    clock: Callable[[], datetime]

    async def newer_than(self, stale: ActiveTokens, *, may_use_stale: bool) -> ActiveTokens:
        """Return refreshed tokens, whoever refreshes them.

        With `may_use_stale` the stale ones are returned while they work and no newer are there.
        Raises NotSignedIn when the sign-in is over, UpstreamError when refreshing fails.
        """
        give_up_at = self.clock() + _LONGEST_WAIT
        wait = _FIRST_WAIT
        while True:
            owner = random_secret(128)
            if await self._take_lease(stale.generation, owner):
                try:
                    return await self._refresh(stale, owner)
                except UpstreamError:
                    if may_use_stale and self._still_works(stale):
                        return stale
                    raise
            _, active = await self.slot.read()
            if active.generation != stale.generation:
                return active
            if may_use_stale and self._still_works(active):
                return active
            if self.clock() > give_up_at:
                raise UpstreamUnavailable(f"{self.title} is slow to renew; try again.")
            await anyio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 jitter, not a secret
            wait = min(wait * _NEXT_WAIT, _SLOWEST_WAIT)

    def _still_works(self, active: ActiveTokens) -> bool:
        return active.tokens.expires_at - _STILL_USABLE > self.clock()

    async def _take_lease(self, generation: int, owner: str) -> bool:
        now = self.clock()

        def take(active: ActiveTokens) -> ActiveTokens | None:
            if active.generation != generation:
                return None
            if active.lease and active.lease.expires_at > now:
                return None
            lease = Lease(owner=owner, expires_at=now + LEASE_TTL)
            return active.model_copy(update={"lease": lease})

        return await self.slot.change(take)

    async def _refresh(self, stale: ActiveTokens, owner: str) -> ActiveTokens:
        # A caller that hangs up must not lose tokens that the upstream has already rotated.
        with anyio.CancelScope(shield=True):
            try:
                refresh_token = self.slot.open(stale).refresh_token or ""
                granted = await self.renew(refresh_token)
            except GrantRefused:
                raise await self.slot.end(stale.generation, owner) from None
            except RallyMcpError as error:
                await self.slot.change(lambda active: _released(active, owner))
                self.slot.audit(AuditEvent.TOKENS_REFRESH_FAILED, type(error).__name__)
                raise
            # Rally may or may not rotate: without a new refresh token the old one goes on.
            kept = TokenResponse(
                granted.access_token, granted.refresh_token or refresh_token, granted.expires_at
            )
            refreshed = await self._write(self.slot.sealed(stale, kept), owner)
        return refreshed  # noqa: RET504 mypy takes a cancel scope for one that swallows errors

    async def _write(self, fresh: ActiveTokens, owner: str) -> ActiveTokens:
        """Replace the stale tokens and with them the lease; there is no other copy of these."""

        def write(active: ActiveTokens) -> ActiveTokens | None:
            return fresh if active.lease and active.lease.owner == owner else None

        if not await self.slot.change_surely(write):
            # Signed out meanwhile, or the lease ran out and somebody else refreshed.
            _, fresh = await self.slot.read()
        self.slot.audit(AuditEvent.TOKENS_REFRESHED)
        return fresh


def _released(active: ActiveTokens, owner: str) -> ActiveTokens | None:
    if active.lease is None or active.lease.owner != owner:
        return None
    return active.model_copy(update={"lease": None})
