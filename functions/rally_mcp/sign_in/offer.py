"""Offering a sign-in: the link that a tool answers with while the principal has no tokens."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.crypto import NotOpened
from rally_mcp.errors import SignInPrompt, UpstreamUnavailable
from rally_mcp.identity_providers.declaration import IdentityProvider
from rally_mcp.sign_in.principal import Principal
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import (
    PendingSignIn,
    PrincipalRecord,
    UpstreamSignIn,
    state_location,
)
from rally_mcp.sign_in.states import States, is_live

_WAITING_FOR_CODE = (
    "A sign-in is waiting for its confirmation code: ask for the code that the browser page "
    "shows and call complete_sign_in with it. If that page is lost, sign in again."
)


@dataclass(frozen=True, slots=True)
class SignInOffers:
    """Offers links, the same one again while it lives."""

    states: States
    principals: Principals
    clock: Callable[[], datetime]
    auth_url: str
    code_expected: bool

    async def offer(
        self, principal: Principal, provider: IdentityProvider, record: PrincipalRecord | None
    ) -> SignInPrompt:
        """Return a link to sign in with, given the principal's record as just read.

        Free while a link lives; two writes otherwise, however many callers ask at once.
        Raises UpstreamUnavailable when they collide for too long.
        """
        for _ in range(3):
            shown = self._shown_before(principal, provider, record)
            if shown:
                return shown
            state, pending = await self.states.new(principal, provider.name)
            if await self._write(principal, provider.name, record, pending):
                audit.write(
                    AuditEvent.SIGN_IN_STARTED, principal=principal.key, upstream=provider.name
                )
                return self._prompt(provider, record, state, pending)
            record = await self.principals.get(principal.key)
        raise UpstreamUnavailable("Too many sign-ins were started at once; try again.")

    def _shown_before(
        self, principal: Principal, provider: IdentityProvider, record: PrincipalRecord | None
    ) -> SignInPrompt | None:
        pending = record.upstream(provider.name).pending if record else None
        if pending is None or not is_live(pending, self.clock()):
            return None
        try:
            state = principal.private_key.open(
                pending.state, state_location(principal.key, provider.name)
            )
        except NotOpened:  # altered in the store: as good as none
            return None
        return self._prompt(provider, record, state, pending)

    async def _write(
        self,
        principal: Principal,
        upstream: str,
        record: PrincipalRecord | None,
        pending: PendingSignIn,
    ) -> bool:
        """Note the pending sign-in; False where another caller was faster."""
        if record is None:
            fresh = UpstreamSignIn(pending=pending)
            return await self.principals.create(principal, upstream, fresh)
        seen = record.upstream(upstream).pending

        def note(sign_in: UpstreamSignIn) -> UpstreamSignIn | None:
            if sign_in.pending != seen:
                return None
            return sign_in.model_copy(update={"pending": pending})

        return await self.principals.change(principal.key, upstream, note) is not None

    def _prompt(
        self,
        provider: IdentityProvider,
        record: PrincipalRecord | None,
        state: str,
        pending: PendingSignIn,
    ) -> SignInPrompt:
        sign_in = record.upstream(provider.name) if record else UpstreamSignIn()
        waiting = sign_in.parked is not None and sign_in.parked.is_waiting(self.clock())
        query = urlencode(
            {
                "state": state,
                "code_challenge": pending.code_challenge,
                "code_challenge_method": "S256",
            }
        )
        return SignInPrompt(
            upstream_title=provider.title,
            auth_url=f"{self.auth_url}/auth?{query}",
            short_auth_url=f"{self.auth_url}/auth?state={state}",
            code_expected=self.code_expected,
            notice=_WAITING_FOR_CODE if waiting else sign_in.notice,
            code_waits=waiting,
        )
