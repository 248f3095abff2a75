"""A principal's upstream access token for the length of one request: read, opened, refreshed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NoReturn

from rally_mcp import audit
from rally_mcp.access_tokens import AccessToken
from rally_mcp.audit import AuditEvent
from rally_mcp.errors import GrantEnded, RallyMcpError, SignInRequired, UpstreamUnavailable
from rally_mcp.identity_providers.declaration import IdentityProvider
from rally_mcp.identity_providers.token_endpoint import TokenEndpoint
from rally_mcp.sign_in.active_slot import ActiveSlot, NotSignedIn
from rally_mcp.sign_in.offer import SignInOffers
from rally_mcp.sign_in.principal import Principal
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import ActiveTokens, PrincipalRecord
from rally_mcp.sign_in.refresh import Refresh


@dataclass(slots=True)
class SeenRecord:
    """A principal's record as one request has read it, for all that the request does."""

    record: PrincipalRecord | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What it takes to hand out access tokens; one per process."""

    principals: Principals
    offers: SignInOffers
    token_endpoint: TokenEndpoint
    clock: Callable[[], datetime]

    def of(
        self,
        principal: Principal,
        provider: IdentityProvider,
        seen: SeenRecord | None = None,
    ) -> "Credential":
        """Return one principal's credential for one upstream; nothing is read yet.

        Credentials of one request share what was `seen`.
        """
        return Credential(self, principal, provider, seen or SeenRecord())


@dataclass(slots=True)
class Credential:
    """One principal's access token at one upstream. Implements access_tokens.AccessTokens."""

    services: Credentials
    principal: Principal
    provider: IdentityProvider
    seen: SeenRecord
    has_looked: bool = False
    held: tuple[AccessToken, datetime] | None = None
    """What this request works with, and until when."""
    user_name: str | None = None

    async def current(self) -> AccessToken:
        """Return the access token, refreshed first where it is about to end (one read else).

        The request goes on with it until it is about to end or refused.
        Raises SignInRequired, for a grant whose upstream this is GrantEnded, or UpstreamError
        where a refresh was needed and did not work.
        """
        if self.held and self.held[1] > self.services.clock():
            return self.held[0]
        try:
            return self._access_token(await self._working())
        except NotSignedIn as gone:
            raise await self._sign_in_required(gone) from None

    async def renewed(self, refused: AccessToken) -> AccessToken:
        """Return the token that replaced the refused one, refreshing where nobody has yet."""
        self.held = None
        try:
            _, active = await self._slot.read()
            if active.generation == refused.generation:
                active = await self._refreshed(active, may_use_stale=False)
            return self._access_token(active)
        except NotSignedIn as gone:
            raise await self._sign_in_required(gone) from None

    async def give_up(self, refused: AccessToken) -> NoReturn:
        """Close the connection whose token is refused although it is fresh."""
        raise await self._sign_in_required(await self._slot.end(refused.generation))

    async def _working(self) -> ActiveTokens:
        record, active = await self._read()
        now = self.services.clock()
        if active.tokens.refresh_at > now:
            await self.services.principals.touch(self.principal.key, record)
            return active
        if active.tokens.refresh_token is None and active.tokens.expires_at > now:
            return active
        return await self._refreshed(active, may_use_stale=True)

    async def _read(self) -> tuple[PrincipalRecord, ActiveTokens]:
        """Return the record and its active tokens, the first time as this request saw them."""
        seen, self.has_looked = None if self.has_looked else self.seen.record, True
        active = seen.upstream(self.provider.name).active if seen else None
        if seen is None or active is None:
            seen, active = await self._slot.read()
            self.seen.record = seen
        return seen, active

    async def _refreshed(self, stale: ActiveTokens, *, may_use_stale: bool) -> ActiveTokens:
        if stale.tokens.refresh_token is None:
            raise await self._slot.end(stale.generation)
        renew = partial(self.services.token_endpoint.refresh, self.provider)
        refresh = Refresh(self._slot, self.provider.title, renew, self.services.clock)
        return await refresh.newer_than(stale, may_use_stale=may_use_stale)

    @property
    def _slot(self) -> ActiveSlot:
        return ActiveSlot(self.services.principals, self.principal, self.provider.name)

    async def _sign_in_required(self, gone: NotSignedIn) -> RallyMcpError:
        """Return the way back: a link, or for a grant's own upstream a new authorization."""
        if self.principal.grant_upstream == self.provider.name:
            return await self._grant_ended(gone.record)
        return SignInRequired(
            await self.services.offers.offer(self.principal, self.provider, gone.record)
        )

    async def _grant_ended(self, record: PrincipalRecord | None) -> RallyMcpError:
        """End the grant, which is worth nothing without the sign-in that it stands on."""
        now, name, title = self.services.clock(), self.provider.name, self.provider.title
        if record and record.upstream(name).active:
            return UpstreamUnavailable(f"{title} is being renewed; try again.", retry_after=1)

        def end(current: PrincipalRecord) -> PrincipalRecord | None:
            return None if current.upstream(name).active else current.ended(now)

        if await self.services.principals.records.update(self.principal.key, end):
            audit.write(AuditEvent.GRANT_ENDED, principal=self.principal.key, upstream=name)
        return GrantEnded(f"The sign-in to {title} is over; authorize again.")

    def _access_token(self, active: ActiveTokens) -> AccessToken:
        self.user_name = active.tokens.user.name
        access_token = AccessToken(
            value=self._slot.open(active).access_token,
            generation=active.generation,
            user_id=active.tokens.user.id,
        )
        self.held = access_token, active.tokens.refresh_at
        return access_token
