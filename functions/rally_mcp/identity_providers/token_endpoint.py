"""The two requests to an upstream's token endpoint: exchange a code, refresh a token.

200 with access_token        → TokenResponse
invalid_client               → the client secret is read again, once, and if it changed retried
invalid_grant and the like   → GrantRefused: this code or refresh token is worth nothing more
429, 5xx, no answer          → UpstreamUnavailable, UpstreamTimeout: nothing is known
anything else                → UpstreamRejected
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio
import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rally_mcp.errors import (
    ConfigurationError,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from rally_mcp.identity_providers.declaration import IdentityProvider, TokenResponse
from rally_mcp.secret_store import SecretStore

TOKEN_REQUEST_TIMEOUT = 8.0
"""Seconds for all of it, reading the secret included. Shorter than the refresh lease, so that a
lease never ends under a living request."""

_DEFAULT_LIFETIME = 3600
"""Seconds, where the upstream names none: short, because refreshing early costs little."""

_LONGEST_LIFETIME = 30 * 24 * 3600
"""Seconds. No principal's record lives longer."""

_GRANT_ERRORS = {"invalid_grant", "unsupported_grant_type", "unauthorized_client", "invalid_scope"}

_NOT_THE_GRANTS_FAULT = {"invalid_client", "server_error", "temporarily_unavailable"}

_TOKEN = re.compile(r"[!-~]+")
"""What fits into a header; RFC 6749 §A.12 would allow spaces."""


class GrantRefused(UpstreamRejected):
    """The upstream refused this authorization code or refresh token for good (RFC 6749 §5.2)."""


class _Answer(BaseModel):
    """What a token endpoint may say. Unknown members, such as Rally's id_token, are ignored."""

    # A ValidationError becomes the cause of ours, and must not quote a token.
    model_config = ConfigDict(hide_input_in_errors=True)

    access_token: str = Field("", repr=False)
    refresh_token: str | None = Field(None, repr=False)
    expires_in: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Speaks to token endpoints as a confidential client (client_secret_post)."""

    http: Callable[[], httpx.AsyncClient]
    secrets: SecretStore
    clock: Callable[[], datetime]

    async def exchange_code(
        self, provider: IdentityProvider, authorization_code: str, code_verifier: str
    ) -> TokenResponse:
        """Exchange an authorization code (RFC 6749 §4.1.3), exactly once, never again on doubt.

        Raises GrantRefused, UpstreamRejected, UpstreamUnavailable or UpstreamTimeout.
        """
        return await self._request(
            provider,
            {
                "grant_type": "authorization_code",
                "code": authorization_code,
                "redirect_uri": provider.redirect_uri,
                "code_verifier": code_verifier,
            },
        )

    async def refresh(self, provider: IdentityProvider, refresh_token: str) -> TokenResponse:
        """Refresh an access token (RFC 6749 §6). The answer may bring no new refresh token.

        Raises as `exchange_code` does.
        """
        return await self._request(
            provider, {"grant_type": "refresh_token", "refresh_token": refresh_token}
        )

    async def _request(self, provider: IdentityProvider, form: dict[str, str]) -> TokenResponse:
        try:
            with anyio.fail_after(TOKEN_REQUEST_TIMEOUT):
                return await self._authenticated(provider, form)
        except TimeoutError as error:
            raise _late(provider) from error

    async def _authenticated(
        self, provider: IdentityProvider, form: dict[str, str]
    ) -> TokenResponse:
        reference = provider.client_secret
        if reference is None:
            raise ConfigurationError(f"{provider.name.upper()}_CLIENT_SECRET is missing.")
        secret = await self.secrets.get(reference)
        answer = await self._post(provider, form, secret)
        if answer.error == "invalid_client":
            rotated = await self.secrets.reread(reference)
            if rotated != secret:
                answer = await self._post(provider, form, rotated)
        return self._accepted(provider, answer)

    async def _post(
        self, provider: IdentityProvider, form: dict[str, str], client_secret: str
    ) -> _Answer:
        try:
            response = await self.http().post(
                provider.token_endpoint,
                data={**form, "client_id": provider.client_id, "client_secret": client_secret},
                headers={"Accept": "application/json"},
                timeout=TOKEN_REQUEST_TIMEOUT,
            )
        except httpx.TimeoutException as error:
            raise _late(provider) from error
        except httpx.HTTPError as error:
            raise UpstreamUnavailable(
                f"{provider.title} cannot be reached; try again later."
            ) from error
        return _read(provider, form, response)

    def _accepted(self, provider: IdentityProvider, answer: _Answer) -> TokenResponse:
        title = provider.title
        if answer.error in _GRANT_ERRORS:
            raise GrantRefused(f"{title} no longer accepts this sign-in; sign in again.")
        if answer.error == "invalid_client":
            raise UpstreamRejected(
                f"{title} does not accept this deployment's client id and secret; "
                "its administrator must set them again."
            )
        if answer.error or not _TOKEN.fullmatch(answer.access_token):
            raise UpstreamRejected(f"{title} did not grant a token.")
        told = answer.expires_in or 0
        lifetime = told if told > 0 else _DEFAULT_LIFETIME
        return TokenResponse(
            access_token=answer.access_token,
            refresh_token=answer.refresh_token or None,
            expires_at=self.clock() + timedelta(seconds=min(lifetime, _LONGEST_LIFETIME)),
        )


def _read(provider: IdentityProvider, form: Mapping[str, str], response: httpx.Response) -> _Answer:
    """Read what the endpoint says. Raises where that is nothing about this grant."""
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
        raise UpstreamUnavailable(f"{provider.title} is not available; try again later.")
    try:
        answer = _Answer.model_validate_json(response.content)
    except ValidationError as error:
        if not response.is_client_error:
            raise UpstreamRejected(f"{provider.title} gave no token response.") from error
        answer = _Answer(error="unreadable")
    is_refused_refresh = response.is_client_error and form["grant_type"] == "refresh_token"
    if is_refused_refresh and answer.error not in _NOT_THE_GRANTS_FAULT:
        # Rally's words for a dead refresh token are not documented: whatever it says, a new
        # sign-in helps, unless the fault is this deployment's own or passes by itself.
        return _Answer(error="invalid_grant")
    return answer


def _late(provider: IdentityProvider) -> UpstreamTimeout:
    return UpstreamTimeout(f"{provider.title} did not answer in time; try again.")
