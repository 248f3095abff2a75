"""Telling an upstream that an access token is not used any more, as far as it can be told."""

from collections.abc import Callable
from dataclasses import dataclass

import anyio
import httpx

from rally_mcp import logs
from rally_mcp.errors import RallyMcpError
from rally_mcp.identity_providers.declaration import IdentityProvider
from rally_mcp.secret_store import SecretStore

_TIMEOUT = 5.0
"""Seconds; the person who signs out is waiting, and is signed out here either way."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """Revokes access tokens upstream."""

    http: Callable[[], httpx.AsyncClient]
    secrets: SecretStore

    async def revoke(self, provider: IdentityProvider, access_token: str) -> bool:
        """Tell whether the upstream revoked the token; a failure is logged, never raised."""
        if provider.revoke is None or provider.client_secret is None:
            return False
        try:
            with anyio.fail_after(_TIMEOUT):
                client_secret = await self.secrets.get(provider.client_secret)
                await provider.revoke(self.http(), client_secret, access_token)
        except (RallyMcpError, httpx.HTTPError, TimeoutError) as error:
            logs.event(
                "WARNING",
                "an upstream did not revoke an access token",
                upstream=provider.name,
                error=type(error).__name__,
            )
            return False
        return True
