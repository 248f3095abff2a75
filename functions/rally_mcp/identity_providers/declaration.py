"""What an upstream is: a declaration that sign-in runs on, with no code of its own flow.

    Upstream          its name, the settings it needs, and what it declares with them
    IdentityProvider  people sign in to it by authorization code
    ServiceAccount    nobody signs in: the deployment has an account of its own there

This module stays free of any HTTP client, because auth_redirect needs declarations alone.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Generic, Literal
from urllib.parse import urlencode, urlsplit

from rally_mcp import logs
from rally_mcp.secret_store import SecretReference
from rally_mcp.settings import Settings, UpstreamSettingsT

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """A successful answer of a token endpoint (RFC 6749 §5.1), its lifetime made a moment."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime
    id_token: str = field(default="", repr=False)
    """OpenID Connect's, where the upstream gives one."""


@dataclass(frozen=True, slots=True)
class UpstreamUser:
    """Who signed in, in the upstream's words. `id` never changes; `name` is for people."""

    id: str
    name: str
    tenant: str = ""
    """The name of the organisation's account that this person belongs to."""
    tenant_names: frozenset[str] = frozenset()
    """Every name and id by which an administrator may mean that account."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is to learn from who signed in."""

    granted: TokenResponse
    nonce: str
    """What an id_token must repeat."""
    clock: Callable[[], datetime]


FindUser = Callable[["httpx.AsyncClient", Evidence], Awaitable[UpstreamUser]]
"""Learn who signed in. Raises UpstreamError where that is not proven."""

Revoke = Callable[["httpx.AsyncClient", str, str], Awaitable[None]]
"""Revoke an access token upstream: (client, client secret, access token)."""


@dataclass(frozen=True, slots=True)
class Members:
    """Every member that an upstream's answer may have, so that a new one is noticed."""

    used: frozenset[str]
    unused: frozenset[str]
    """Known, looked at once, and of no use here."""

    @classmethod
    def of(cls, used: str, unused: str) -> "Members":
        """Make it of two lists of names, with spaces between."""
        return cls(frozenset(used.split()), frozenset(unused.split()))

    def report(self, upstream: str, answer: Mapping[str, object]) -> None:
        """Log the names of members that nobody has accounted for."""
        unknown = sorted(answer.keys() - self.used - self.unused)
        if unknown:
            logs.event(
                "WARNING",
                "an upstream answers with members that are not accounted for",
                upstream=upstream,
                members=unknown,
            )


@dataclass(frozen=True, slots=True)
class TokenWire:
    """How an upstream's token endpoint differs from the plain RFC 6749."""

    authentication: Literal["client_secret_post", "client_secret_basic"] = "client_secret_post"
    error_words: Mapping[str, str] = field(default_factory=dict)
    """What the upstream says → the error code of RFC 6749 §5.2 that it means."""
    default_lifetime: timedelta = timedelta(hours=1)
    """Of tokens whose life it does not tell: short, because refreshing early costs little."""
    may_want_json: bool = False
    """It may refuse a form (415, 422) and want the same members as JSON."""
    unused_members: frozenset[str] = frozenset()
    """Members of its token response beyond the RFC's that have no use here."""


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """An upstream that people sign in to by authorization code (RFC 6749 §4.1) with PKCE."""

    name: str
    title: str
    authorization_endpoint: str
    token_endpoint: str
    client_id: str
    client_secret: SecretReference | None
    """None in a function that needs no secret."""
    redirect_uri: str
    scope: str
    find_user: FindUser
    allowed_tenants: frozenset[str] = frozenset()
    """Tenants whose people may sign in; empty means all."""
    token_wire: TokenWire = field(default_factory=TokenWire)
    sends_nonce: bool = False
    """It is an OpenID provider whose id_token proves who signed in."""
    revoke: Revoke | None = None
    """How a sign-out is told upstream, where it can be."""
    vouches: bool = True
    """Only people whom some organisation gave an account can sign in to it."""

    def may_be_issuer(self, issuer: str) -> bool:
        """Tell whether an authorization response with this `iss` (RFC 9207) can come from here."""
        own, given = urlsplit(self.authorization_endpoint), urlsplit(issuer)
        return (own.scheme, own.netloc) == (given.scheme, given.netloc)

    def authorization_url(self, state: str, code_challenge: str) -> str:
        """Return where the browser goes to sign in (RFC 6749 §4.1.1, RFC 7636 §4.3)."""
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "state": state,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        if self.sends_nonce:
            parameters["nonce"] = self.nonce(state)
        return f"{self.authorization_endpoint}?{urlencode(parameters)}"

    def nonce(self, state: str) -> str:
        """Return the nonce of a sign-in (OpenID Connect Core §3.1.2.1): only its state gives it.

        So nothing more is stored, and an id_token of another sign-in does not fit.
        """
        digest = hashlib.sha256(f"nonce of {state}".encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def admits(self, user: UpstreamUser) -> bool:
        """Tell whether this deployment is for people of the user's tenant."""
        if not self.allowed_tenants:
            return True
        allowed = {name.casefold() for name in self.allowed_tenants}
        return any(name.casefold() in allowed for name in user.tenant_names)


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """An upstream where the deployment itself is the client (RFC 6749 §4.4)."""

    name: str
    title: str
    token_endpoint: str
    client_id: str
    client_secret: SecretReference | None
    scope: str
    token_wire: TokenWire = field(default_factory=TokenWire)
    for_anyone: bool = False
    """Callers need not be signed in to anything."""


@dataclass(frozen=True, slots=True)
class Upstream(Generic[UpstreamSettingsT]):
    """One entry of the registry."""

    name: str
    settings: type[UpstreamSettingsT]
    permissions: Mapping[str, str]
    """Scopes that MCP clients may be allowed here, and what each allows, for people to read."""
    declare: Callable[[Settings, UpstreamSettingsT], IdentityProvider | ServiceAccount]

    def declared(self, settings: Settings) -> IdentityProvider | ServiceAccount:
        """Declare the upstream as the environment describes it."""
        return self.declare(settings, settings.of(self.settings))
