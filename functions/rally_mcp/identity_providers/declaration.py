"""What an upstream is: a declaration that the sign-in flow runs on, with no code of its own flow.

This module stays free of any HTTP client, because auth_redirect needs declarations alone.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from rally_mcp.secret_store import SecretReference

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """A successful answer of a token endpoint (RFC 6749 §5.1), its lifetime made a moment."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class UpstreamUser:
    """Who signed in, in the upstream's words. `id` never changes; `name` is for people."""

    id: str
    name: str
    tenant: str = ""
    """The name of the organisation's account that this person belongs to."""
    tenant_names: frozenset[str] = frozenset()
    """Every name and id by which an administrator may mean that account."""


FindUser = Callable[["httpx.AsyncClient", str], Awaitable[UpstreamUser]]
"""Learn whose access token this is: (client, upstream access token) -> user."""


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
    permissions: Mapping[str, str] = field(default_factory=dict)
    """Scopes that MCP clients may be allowed here, and what each allows, for people to read."""
    allowed_tenants: frozenset[str] = frozenset()
    """Tenants whose people may sign in; empty means all."""

    def authorization_url(self, state: str, code_challenge: str) -> str:
        """Return where the browser goes to sign in (RFC 6749 §4.1.1, RFC 7636 §4.3)."""
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.client_id,
                "redirect_uri": self.redirect_uri,
                "scope": self.scope,
                "state": state,
                "code_challenge": code_challenge,
                "code_challenge_method": "S256",
            }
        )
        return f"{self.authorization_endpoint}?{query}"

    def admits(self, user: UpstreamUser) -> bool:
        """Tell whether this deployment is for people of the user's tenant."""
        if not self.allowed_tenants:
            return True
        allowed = {name.casefold() for name in self.allowed_tenants}
        return any(name.casefold() in allowed for name in user.tenant_names)
