"""A principal's upstream access token: read, opened, and refreshed once across all instances.

Refreshing is single-flight through the record itself:

    take the lease        one instance wins; it is over after LEASE_TTL, killed instance or not
    refresh upstream      with a timeout shorter than the lease
    write, generation+1   only while the lease is still held

The others wait and read, and see the generation grow. Whoever is merely early keeps using the
old access token meanwhile.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn

import anyio

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.crypto import NotOpened, random_secret
from rally_mcp.errors import (
    Conflict,
    RallyMcpError,
    SignInRequired,
    UpstreamError,
    UpstreamUnavailable,
)
from rally_mcp.identity_providers.declaration import IdentityProvider, TokenResponse
from rally_mcp.identity_providers.token_endpoint import GrantRefused, TokenEndpoint
from rally_mcp.rally.access import AccessToken
from rally_mcp.sign_in.offer import SignInOffers
from rally_mcp.sign_in.principal import Principal
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import ActiveTokens, Lease, PrincipalRecord, UpstreamSignIn
from rally_mcp.sign_in.sealed_tokens import OpenTokens, Place, open_tokens, seal_tokens

LEASE_TTL = timedelta(seconds=10)
"""Longer than a token request may take, short enough to wait out after a killed instance."""

_LONGEST_WAIT = timedelta(seconds=25)
"""How long a caller waits for somebody else's refresh: two leases and a little."""

_STILL_USABLE = timedelta(seconds=2)
"""An access token this close to its end is not sent any more."""

_FIRST_WAIT, _NEXT_WAIT, _SLOWEST_WAIT = 0.05, 1.6, 1.0
"""Seconds before the first look, factor to the next, and seconds at most between two looks."""

_STORE_PAUSES = (0.2, 0.8)
"""Seconds before refreshed tokens are written once more to a store that failed."""

ENDED_NOTICE = "The upstream ended the last sign-in."


@dataclass(frozen=True, slots=True)
class Credentials:
    """What it takes to hand out access tokens; one per process."""

    principals: Principals
    offers: SignInOffers
    token_endpoint: TokenEndpoint
    clock: Callable[[], datetime]

    def of(self, principal: Principal, provider: IdentityProvider) -> "Credential":
        """Return one principal's credential for one upstream; nothing is read yet."""
        return Credential(self, principal, provider)


@dataclass(frozen=True, slots=True)
class Credential:
    """One principal's access token at one upstream. Implements rally.access.AccessTokens."""

    services: Credentials
    principal: Principal
    provider: IdentityProvider

    async def current(self) -> AccessToken:
        """Return the access token, refreshed first where it is about to end (one read else).

        Raises SignInRequired, or UpstreamError where a refresh was needed and did not work.
        """
        record, active = await self._read()
        now = self.services.clock()
        if active.tokens.refresh_at > now:
            await self.services.principals.touch(self.principal.key, record)
            return self._access_token(active)
        if active.tokens.refresh_token is None:
            if active.tokens.expires_at > now:
                return self._access_token(active)
            raise await self._closed(active.generation)
        return await self._refreshed(active, usable_until=active.tokens.expires_at)

    async def renewed(self, refused: AccessToken) -> AccessToken:
        """Return the token that replaced the refused one, refreshing where nobody has yet."""
        _, active = await self._read()
        if active.generation != refused.generation:
            return self._access_token(active)
        if active.tokens.refresh_token is None:
            raise await self._closed(active.generation)
        return await self._refreshed(active, usable_until=None)

    async def give_up(self, refused: AccessToken) -> NoReturn:
        """Close the connection whose token is refused although it is fresh."""
        raise await self._closed(refused.generation)

    async def _read(self) -> tuple[PrincipalRecord, ActiveTokens]:
        record = await self.services.principals.get(self.principal.key)
        active = record.upstream(self.provider.name).active if record else None
        if record is None or active is None:
            raise await self._sign_in_required(record)
        return record, active

    async def _sign_in_required(self, record: PrincipalRecord | None) -> SignInRequired:
        return SignInRequired(
            await self.services.offers.offer(self.principal, self.provider, record)
        )

    async def _refreshed(
        self, stale: ActiveTokens, *, usable_until: datetime | None
    ) -> AccessToken:
        """Refresh, or wait for whoever does; give out the stale token only while it is usable."""
        services = self.services
        give_up_at = services.clock() + _LONGEST_WAIT
        wait = _FIRST_WAIT
        while True:
            owner = random_secret(128)
            if await self._take_lease(stale.generation, owner):
                try:
                    return await self._refresh(stale, owner)
                except UpstreamError:
                    if not self._is_usable(usable_until):
                        raise
                    return self._access_token(stale)
            _, active = await self._read()
            if active.generation != stale.generation:
                return self._access_token(active)
            if self._is_usable(usable_until):
                return self._access_token(active)
            if services.clock() > give_up_at:
                raise UpstreamUnavailable(f"{self.provider.title} is slow to renew; try again.")
            await anyio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 jitter, not a secret
            wait = min(wait * _NEXT_WAIT, _SLOWEST_WAIT)

    def _is_usable(self, until: datetime | None) -> bool:
        return until is not None and until - _STILL_USABLE > self.services.clock()

    async def _take_lease(self, generation: int, owner: str) -> bool:
        now = self.services.clock()

        def take(active: ActiveTokens) -> ActiveTokens | None:
            if active.generation != generation:
                return None
            if active.lease and active.lease.expires_at > now:
                return None
            lease = Lease(owner=owner, expires_at=now + LEASE_TTL)
            return active.model_copy(update={"lease": lease})

        return await self._change_active(take) is not None

    async def _refresh(self, stale: ActiveTokens, owner: str) -> AccessToken:
        opened = self._open(stale)
        # A caller that hangs up must not lose tokens that the upstream has already rotated.
        with anyio.CancelScope(shield=True):
            try:
                granted = await self.services.token_endpoint.refresh(
                    self.provider, opened.refresh_token or ""
                )
            except GrantRefused:
                raise await self._closed(stale.generation, owner) from None
            except RallyMcpError as error:
                await self._change_active(lambda active: _released(active, owner))
                self._audit(AuditEvent.TOKENS_REFRESH_FAILED, type(error).__name__)
                raise
            fresh = await self._write_refreshed(stale, owner, opened, granted)
        return self._access_token(fresh)

    async def _write_refreshed(
        self, stale: ActiveTokens, owner: str, opened: OpenTokens, granted: TokenResponse
    ) -> ActiveTokens:
        kept = TokenResponse(
            access_token=granted.access_token,
            # Rally may or may not rotate: without a new refresh token the old one goes on.
            refresh_token=granted.refresh_token or opened.refresh_token,
            expires_at=granted.expires_at,
        )
        fresh = ActiveTokens(
            tokens=seal_tokens(
                self.principal.private_key.public_key,
                self._place,
                kept,
                stale.tokens.user,
                self.services.clock(),
            ),
            generation=stale.generation + 1,
        )

        def write(active: ActiveTokens) -> ActiveTokens | None:
            return fresh if active.lease and active.lease.owner == owner else None

        if await self._surely(write) is None:
            # Signed out meanwhile, or the lease ran out and somebody else refreshed.
            _, fresh = await self._read()
        self._audit(AuditEvent.TOKENS_REFRESHED)
        return fresh

    async def _closed(self, generation: int, owner: str | None = None) -> SignInRequired:
        """Drop tokens that are worth nothing more, unless they were replaced; return the error."""

        def close(sign_in: UpstreamSignIn) -> UpstreamSignIn | None:
            active = sign_in.active
            if active is None or active.generation != generation:
                return None
            if owner and (active.lease is None or active.lease.owner != owner):
                return None
            return sign_in.model_copy(update={"active": None, "notice": ENDED_NOTICE})

        principals, upstream = self.services.principals, self.provider.name
        record = await principals.change(self.principal.key, upstream, close)
        if record:
            self._audit(AuditEvent.CONNECTION_CLOSED)
        return await self._sign_in_required(record or await principals.get(self.principal.key))

    async def _change_active(
        self, change: Callable[[ActiveTokens], ActiveTokens | None]
    ) -> PrincipalRecord | None:
        def apply(sign_in: UpstreamSignIn) -> UpstreamSignIn | None:
            active = change(sign_in.active) if sign_in.active else None
            return sign_in.model_copy(update={"active": active}) if active else None

        principals = self.services.principals
        return await principals.change(self.principal.key, self.provider.name, apply)

    async def _surely(
        self, change: Callable[[ActiveTokens], ActiveTokens | None]
    ) -> PrincipalRecord | None:
        """Write refreshed tokens although the store fails once or twice: there is no other copy.

        Repeating does no harm, because the change asks for the lease that it ends.
        """
        for pause in _STORE_PAUSES:
            try:
                return await self._change_active(change)
            except UpstreamUnavailable:
                await anyio.sleep(pause)
        return await self._change_active(change)

    @property
    def _place(self) -> Place:
        return Place(self.principal.key, self.provider.name, "active")

    def _open(self, active: ActiveTokens) -> OpenTokens:
        try:
            return open_tokens(self.principal.private_key, self._place, active.tokens)
        except NotOpened as error:
            raise Conflict(
                "The stored sign-in cannot be opened; call sign_out, then sign in again."
            ) from error

    def _access_token(self, active: ActiveTokens) -> AccessToken:
        return AccessToken(
            value=self._open(active).access_token,
            generation=active.generation,
            user_id=active.tokens.user.id,
            user_name=active.tokens.user.name,
        )

    def _audit(self, event: AuditEvent, reason: str | None = None) -> None:
        audit.write(event, principal=self.principal.key, upstream=self.provider.name, reason=reason)


def _released(active: ActiveTokens, owner: str) -> ActiveTokens | None:
    if active.lease is None or active.lease.owner != owner:
        return None
    return active.model_copy(update={"lease": None})
