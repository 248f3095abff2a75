"""The requests to an upstream's token endpoint: exchange a code, refresh, client credentials.

200 with access_token        → TokenResponse
200 with error (GitHub)      → as the same error with 400
invalid_client               → the client secret is read again, once, and if it changed retried
invalid_grant and the like   → GrantRefused: this code or refresh token is worth nothing more
429, 5xx, no answer          → UpstreamUnavailable, UpstreamTimeout: nothing is known
anything else                → UpstreamRejected
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import anyio
import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rally_mcp.errors import (
    ConfigurationError,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from rally_mcp.identity_providers.declaration import (
    IdentityProvider,
    Members,
    ServiceAccount,
    TokenResponse,
)
from rally_mcp.secret_store import SecretStore

TOKEN_REQUEST_TIMEOUT = 8.0
"""Seconds for all of it, reading the secret included. Shorter than the refresh lease, so that a
lease never ends under a living request."""

_LONGEST_LIFETIME = timedelta(days=30)
"""No principal's record lives longer."""

_GRANT_ERRORS = {"invalid_grant", "unsupported_grant_type", "unauthorized_client", "invalid_scope"}

_NOT_THE_GRANTS_FAULT = {"invalid_client", "server_error", "temporarily_unavailable"}

_WANTS_JSON = {httpx.codes.UNSUPPORTED_MEDIA_TYPE, httpx.codes.UNPROCESSABLE_ENTITY}
"""What a token endpoint answers to a form that reads JSON alone."""

_MEMBERS = Members.of(
    used="access_token expires_in refresh_token id_token error",
    unused="token_type scope error_description error_uri",
)

_TOKEN = re.compile(r"[!-~]+")
"""What fits into a header; RFC 6749 §A.12 would allow spaces."""


class GrantRefused(UpstreamRejected):
    """The upstream refused this authorization code or refresh token for good (RFC 6749 §5.2)."""


Upstream = IdentityProvider | ServiceAccount


class _Answer(BaseModel):
    """What a token endpoint may say."""

    # A ValidationError becomes the cause of ours, and must not quote a token.
    model_config = ConfigDict(hide_input_in_errors=True, extra="allow")

    access_token: str = Field("", repr=False)
    refresh_token: str | None = Field(None, repr=False)
    id_token: str | None = Field(None, repr=False)
    expires_in: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Speaks to token endpoints as a confidential client."""

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

    async def client_credentials(self, account: ServiceAccount) -> TokenResponse:
        """Get an access token for the deployment itself (RFC 6749 §4.4.2).

        Raises as `exchange_code` does.
        """
        return await self._request(
            account, {"grant_type": "client_credentials", "scope": account.scope}
        )

    async def _request(self, upstream: Upstream, form: dict[str, str]) -> TokenResponse:
        try:
            with anyio.fail_after(TOKEN_REQUEST_TIMEOUT):
                return await self._authenticated(upstream, form)
        except TimeoutError as error:
            raise _late(upstream) from error

    async def _authenticated(self, upstream: Upstream, form: dict[str, str]) -> TokenResponse:
        reference = upstream.client_secret
        if reference is None:
            raise ConfigurationError(f"The client secret of {upstream.title} is missing.")
        secret = await self.secrets.get(reference)
        answer = await self._ask(upstream, form, secret)
        if answer.error == "invalid_client":
            rotated = await self.secrets.reread(reference)
            if rotated != secret:
                answer = await self._ask(upstream, form, rotated)
        return self._accepted(upstream, answer)

    async def _ask(self, upstream: Upstream, form: dict[str, str], client_secret: str) -> _Answer:
        wire = upstream.token_wire
        members, options = dict(form), dict[str, Any]()
        if wire.authentication == "client_secret_basic":
            options["auth"] = (upstream.client_id, client_secret)
        else:
            members |= {"client_id": upstream.client_id, "client_secret": client_secret}
        response = await self._post(upstream, data=members, **options)
        if wire.may_want_json and response.status_code in _WANTS_JSON:
            response = await self._post(upstream, json=members, **options)
        return _read(upstream, form, response)

    async def _post(self, upstream: Upstream, **options: Any) -> httpx.Response:
        try:
            return await self.http().post(
                upstream.token_endpoint,
                headers={"Accept": "application/json"},
                timeout=TOKEN_REQUEST_TIMEOUT,
                **options,
            )
        except httpx.TimeoutException as error:
            raise _late(upstream) from error
        except httpx.HTTPError as error:
            raise UpstreamUnavailable(
                f"{upstream.title} cannot be reached; try again later."
            ) from error

    def _accepted(self, upstream: Upstream, answer: _Answer) -> TokenResponse:
        title = upstream.title
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
        lifetime = upstream.token_wire.default_lifetime
        if told > 0:
            lifetime = timedelta(seconds=min(told, _LONGEST_LIFETIME.total_seconds()))
        return TokenResponse(
            access_token=answer.access_token,
            refresh_token=answer.refresh_token or None,
            expires_at=self.clock() + lifetime,
            id_token=answer.id_token or "",
        )


def _read(upstream: Upstream, form: Mapping[str, str], response: httpx.Response) -> _Answer:
    """Read what the endpoint says. Raises where that is nothing about this grant."""
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
        raise UpstreamUnavailable(f"{upstream.title} is not available; try again later.")
    try:
        answer = _Answer.model_validate_json(response.content)
    except ValidationError as error:
        if not response.is_client_error:
            raise UpstreamRejected(f"{upstream.title} gave no token response.") from error
        answer = _Answer(error="unreadable")
    wire = upstream.token_wire
    if response.is_success:
        known = Members(_MEMBERS.used, _MEMBERS.unused | wire.unused_members)
        known.report(upstream.name, answer.model_dump(exclude_unset=True))
    word = wire.error_words.get(answer.error or "", answer.error)
    grant_type = form["grant_type"]
    is_unauthorized = response.status_code == httpx.codes.UNAUTHORIZED
    if is_unauthorized and grant_type == "client_credentials":
        word = "invalid_client"  # nothing else is authenticated in such a request
    is_refused_refresh = response.is_client_error and grant_type == "refresh_token"
    if is_refused_refresh and word not in _NOT_THE_GRANTS_FAULT:
        # Rally's words for a dead refresh token are not documented: whatever it says, a new
        # sign-in helps, unless the fault is this deployment's own or passes by itself.
        word = "invalid_grant"
    return answer.model_copy(update={"error": word})


def _late(upstream: Upstream) -> UpstreamTimeout:
    return UpstreamTimeout(f"{upstream.title} did not answer in time; try again.")
