"""Finishing a sign-in at the callback: claim it, exchange the code, park or activate the tokens.

    pending → exchanging     one callback wins, although twenty may come
    exchanging → parked      with a confirmation code for the person to carry to the chat
    exchanging → active      where SIGN_IN_CONFIRMATION is none

The sign-in of an MCP client's grant ends in the browser instead, see `browser_return`.

Each step applies only while the record still waits for this very state, so that a sign-out in
between stays a sign-out. The callback seals tokens to the principal and can open none.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import httpx

from rally_mcp import audit, logs
from rally_mcp.audit import AuditEvent
from rally_mcp.crypto import PublicKey, random_secret
from rally_mcp.errors import (
    PermissionDenied,
    RallyMcpError,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from rally_mcp.identity_providers.declaration import Evidence, TokenResponse, UpstreamUser
from rally_mcp.identity_providers.token_endpoint import TokenEndpoint
from rally_mcp.sign_in import confirmation
from rally_mcp.sign_in.browser_return import BrowserReturn
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import ActiveTokens, CodeHash, ParkedTokens, UpstreamSignIn
from rally_mcp.sign_in.sealed_tokens import Place, seal_tokens, user_of
from rally_mcp.sign_in.states import OpenState, StateRefused, States, waits_for

PARKED_TTL = timedelta(minutes=10)
"""How long the person may take to carry the code to the chat."""

DENIED_NOTICE = "The last sign-in was declined in the browser."
FAILED_NOTICE = "The last sign-in did not succeed."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What the person at the browser is told. `code` is None where none is expected."""

    user: UpstreamUser
    upstream_title: str
    code: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Declined:
    """The person declined at the upstream of that title."""

    upstream_title: str


@dataclass(frozen=True, slots=True)
class BackToConsent:
    """The browser goes back, with this ticket, to where the person consented to a grant."""

    ticket: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignInCompletion:
    """The callback's use cases."""

    states: States
    principals: Principals
    browser_return: BrowserReturn
    token_endpoint: TokenEndpoint
    http: Callable[[], httpx.AsyncClient]
    clock: Callable[[], datetime]
    code_expected: bool

    async def finish(
        self, state: str, authorization_code: str, issuer: str = ""
    ) -> SignedIn | BackToConsent:
        """Exchange the code for the sign-in that waits for `state`, once across all callers.

        `issuer` is the response's `iss`, where the upstream sends one.

        Raises StateRefused when nothing waits for it; in a chat's sign-in also PermissionDenied
        when this deployment is not for that person and UpstreamError when the upstream did not
        play its part. A grant's client is told these by its browser.
        """
        found = await self._found(state, issuer)
        await self._claim(found)
        try:
            granted, user = await self._exchange(found, authorization_code)
        except RallyMcpError as error:
            _audit(AuditEvent.SIGN_IN_FAILED, found, reason=type(error).__name__)
            if found.awaits_browser:
                return await self._tell_client(found, error)
            await self._fail(found)
            raise
        _audit(AuditEvent.SIGN_IN_EXCHANGED, found, user)
        return await self._keep(found, granted, user)

    async def abandon(
        self, state: str, *, declined: bool, issuer: str = ""
    ) -> Declined | BackToConsent:
        """Clear a sign-in that came back without a code.

        `declined` tells whether the person did so. Raises StateRefused when nothing waits for
        `state`, UpstreamRejected where a chat's sign-in was not declined but refused.
        """
        found = await self._found(state, issuer)
        event = AuditEvent.SIGN_IN_DENIED if declined else AuditEvent.SIGN_IN_FAILED
        title = found.provider.title
        if found.awaits_browser:
            code = "access_denied" if declined else "server_error"
            ticket = await self.browser_return.fail(found, code, was_claimed=False)
            _audit(event, found)
            return BackToConsent(ticket)
        await self._clear(found, declined=declined)
        _audit(event, found)
        if not declined:
            # RFC 6749 §4.1.2.1 has further codes; none of their words is shown or logged.
            raise UpstreamRejected(f"{title} did not finish the sign-in.")
        return Declined(title)

    async def _found(self, state: str, issuer: str) -> OpenState:
        """Return what waits for `state`, where the answer can be its upstream's (RFC 9207 §2.4)."""
        found = await self.states.find(state)
        if issuer and not found.provider.may_be_issuer(issuer):
            _audit(AuditEvent.SIGN_IN_FAILED, found, reason="another issuer")
            raise StateRefused(already_used=False)
        return found

    async def _clear(self, found: OpenState, *, declined: bool) -> None:
        now = self.clock()
        notice = DENIED_NOTICE if declined else FAILED_NOTICE

        def clear(sign_in: UpstreamSignIn) -> UpstreamSignIn | None:
            if not waits_for(sign_in.pending, found.key, now):
                return None
            return sign_in.model_copy(update={"pending": None, "notice": notice})

        await self._change(found, clear)

    async def _tell_client(self, found: OpenState, error: RallyMcpError) -> BackToConsent:
        logs.event("WARNING", "a grant's sign-in failed", error=type(error).__name__)
        code = _error_code(error)
        return BackToConsent(await self.browser_return.fail(found, code, was_claimed=True))

    async def _keep(
        self, found: OpenState, granted: TokenResponse, user: UpstreamUser
    ) -> SignedIn | BackToConsent:
        """Park the tokens, or activate them where a chat's sign-in expects no code."""
        if found.awaits_browser:
            ticket = await self.browser_return.park(found, granted, user)
            _audit(AuditEvent.SIGN_IN_PARKED, found, user)
            return BackToConsent(ticket)
        if self.code_expected:
            code = confirmation.written(await self._park(found, granted, user))
            return SignedIn(user, found.provider.title, code)
        await self._activate(found, granted, user)
        return SignedIn(user, found.provider.title, None)

    async def _exchange(
        self, found: OpenState, authorization_code: str
    ) -> tuple[TokenResponse, UpstreamUser]:
        provider = found.provider
        granted = await self.token_endpoint.exchange_code(
            provider, authorization_code, found.code_verifier
        )
        evidence = Evidence(granted, provider.nonce(found.state), self.clock)
        user = await provider.find_user(self.http(), evidence)
        if not provider.admits(user):
            raise PermissionDenied(
                f"This deployment is not for people of your {provider.title} subscription. "
                "Sign in with another account, or ask its administrator."
            )
        return granted, user

    async def _claim(self, found: OpenState) -> None:
        now = self.clock()

        def claim(sign_in: UpstreamSignIn) -> UpstreamSignIn | None:
            if sign_in.pending is None or not waits_for(sign_in.pending, found.key, now):
                return None
            pending = sign_in.pending.model_copy(update={"exchanging_since": now})
            return sign_in.model_copy(update={"pending": pending})

        await self._change(found, claim)

    async def _fail(self, found: OpenState) -> None:
        """Forget the pending sign-in, so that the next call offers a link that works."""

        def clear(sign_in: UpstreamSignIn) -> UpstreamSignIn | None:
            if not _is_exchanging(sign_in, found):
                return None
            return sign_in.model_copy(update={"pending": None, "notice": FAILED_NOTICE})

        upstream = found.provider.name
        await self.principals.change(found.record.principal, upstream, clear)

    async def _park(self, found: OpenState, granted: TokenResponse, user: UpstreamUser) -> str:
        code, salt = confirmation.new_code(), confirmation.new_salt()
        now = self.clock()
        parked = ParkedTokens(
            id=random_secret(128),
            tokens=seal_tokens(*_sealing(found, "parked"), granted, user_of(user), now),
            code=CodeHash(salt=salt, hash=await confirmation.code_hash(code, salt)),
            parked_until=now + PARKED_TTL,
        )

        def park(sign_in: UpstreamSignIn) -> UpstreamSignIn | None:
            if not _is_exchanging(sign_in, found):
                return None
            return UpstreamSignIn(parked=parked, active=sign_in.active)

        await self._change(found, park)
        _audit(AuditEvent.SIGN_IN_PARKED, found, user)
        return code

    async def _activate(self, found: OpenState, granted: TokenResponse, user: UpstreamUser) -> None:
        tokens = seal_tokens(*_sealing(found, "active"), granted, user_of(user), self.clock())

        def activate(sign_in: UpstreamSignIn) -> UpstreamSignIn | None:
            if not _is_exchanging(sign_in, found):
                return None
            return UpstreamSignIn(active=ActiveTokens(tokens=tokens))

        await self._change(found, activate, signed_in=True)
        _audit(AuditEvent.SIGN_IN_UNCONFIRMED, found, user)

    async def _change(
        self,
        found: OpenState,
        change: Callable[[UpstreamSignIn], UpstreamSignIn | None],
        *,
        signed_in: bool = False,
    ) -> None:
        """Change the record, or raise StateRefused where it no longer waits for this state."""
        changed = await self.principals.change(
            found.record.principal, found.provider.name, change, signed_in=signed_in
        )
        if changed is None:
            raise StateRefused(already_used=True)


def _is_exchanging(sign_in: UpstreamSignIn, found: OpenState) -> bool:
    pending = sign_in.pending
    return (
        pending is not None
        and pending.state_key == found.key
        and pending.exchanging_since is not None
    )


def _error_code(error: RallyMcpError) -> str:
    """Return what RFC 6749 §4.1.2.1 has for an error; the client learns no more than that."""
    if isinstance(error, PermissionDenied):
        return "access_denied"
    if isinstance(error, UpstreamUnavailable | UpstreamTimeout):
        return "temporarily_unavailable"
    return "server_error"


def _sealing(found: OpenState, part: Literal["parked", "active"]) -> tuple[PublicKey, Place]:
    place = Place(found.record.principal, found.provider.name, part)
    return found.public_key, place


def _audit(
    event: AuditEvent,
    found: OpenState,
    user: UpstreamUser | None = None,
    *,
    reason: str | None = None,
) -> None:
    audit.write(
        event,
        principal=found.record.principal,
        upstream=found.provider.name,
        user=user.name if user else None,
        reason=reason,
    )
