"""The token and revocation endpoints' requests (RFC 6749 §3.2, RFC 7009), one grant type each.

Neither ever calls an upstream.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rally_mcp.authorization_server import scopes
from rally_mcp.authorization_server.client_authentication import ClientAuthentication, presented
from rally_mcp.authorization_server.clients import OAuthClient
from rally_mcp.authorization_server.grants import CodeRedemption, Grants
from rally_mcp.authorization_server.issuing import GrantedTokens
from rally_mcp.authorization_server.machine_access import MachineAccessTokens
from rally_mcp.authorization_server.resource_indicators import check_resource
from rally_mcp.errors import OAuthError

_CODE_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
"""RFC 7636 §4.1."""

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")


@dataclass(frozen=True, slots=True)
class TokenRequests:
    """Answers token and revocation requests. Every refusal is an OAuthError or RateLimited."""

    authentication: ClientAuthentication
    grants: Grants
    machines: MachineAccessTokens
    resource: str
    clock: Callable[[], datetime]

    async def token(
        self, form: Mapping[str, str], authorization: str | None, address: str
    ) -> Mapping[str, Any]:
        """Return the token response (RFC 6749 §5.1) to a form, as its members."""
        grant_type = form.get("grant_type", "")
        if not grant_type:
            raise OAuthError("invalid_request", "Send a grant_type.")
        if grant_type not in GRANT_TYPES:
            raise OAuthError(
                "unsupported_grant_type", f"grant_type must be one of {', '.join(GRANT_TYPES)}."
            )
        client = await self._client(form, authorization, address)
        if (client.kind == "machine") != (grant_type == "client_credentials"):
            raise OAuthError("unauthorized_client", "This client may not use that grant_type.")
        match grant_type:
            case "authorization_code":
                granted = await self._redeem(form, client)
            case "refresh_token":
                granted = await self._refresh(form, client)
            case _:
                granted = await self._log_in(form, client)
        return self._written(granted)

    async def revoke(
        self, form: Mapping[str, str], authorization: str | None, address: str
    ) -> None:
        """Revoke an access or refresh token and what it belongs to; unknown ones are fine."""
        client = await self._client(form, authorization, address)
        token = _required(form, "token")
        if not await self.grants.revoke(token, client):
            await self.machines.revoke(token, client.client_id)

    async def _client(
        self, form: Mapping[str, str], authorization: str | None, address: str
    ) -> OAuthClient:
        claimed = presented(form, authorization)
        return await self.authentication.authenticate(claimed, address)

    async def _redeem(self, form: Mapping[str, str], client: OAuthClient) -> GrantedTokens:
        code_verifier = _required(form, "code_verifier")
        if not _CODE_VERIFIER.fullmatch(code_verifier):
            raise OAuthError(
                "invalid_request", "code_verifier must have 43 to 128 unreserved characters."
            )
        return await self.grants.redeem(
            CodeRedemption(
                code=_required(form, "code"),
                client=client,
                code_verifier=code_verifier,
                redirect_uri=form.get("redirect_uri"),
                resource=form.get("resource"),
            )
        )

    async def _refresh(self, form: Mapping[str, str], client: OAuthClient) -> GrantedTokens:
        return await self.grants.refresh(
            _required(form, "refresh_token"),
            client,
            scope=form.get("scope"),
            resource=form.get("resource"),
        )

    async def _log_in(self, form: Mapping[str, str], client: OAuthClient) -> GrantedTokens:
        check_resource(form.get("resource"), self.resource)
        allowed = client.scopes or ()
        granted = scopes.requested(form.get("scope") or scopes.least(allowed), allowed)
        return await self.machines.issue(client.client_id, granted, self.resource)

    def _written(self, granted: GrantedTokens) -> Mapping[str, Any]:
        lifetime = (granted.expires_at - self.clock()).total_seconds()
        answer: dict[str, Any] = {
            "access_token": granted.access_token,
            "token_type": "Bearer",
            "expires_in": max(int(lifetime), 0),
            "scope": " ".join(granted.scopes),
        }
        if granted.refresh_token:
            answer["refresh_token"] = granted.refresh_token
        return answer


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise OAuthError("invalid_request", f"Send {name}.")
    return value
