"""Who is calling: exactly one credential per request, and it comes in a header.

Session-ID             a chat; bounded by what the deployment offers
Authorization: Bearer  an access token of a person's MCP client, or of a machine client
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from starlette.requests import Request

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.authorization_server.client_records import ClientRecord
from rally_mcp.bootstrap.mcp_endpoint import McpEndpoint
from rally_mcp.errors import InvalidInput
from rally_mcp.sign_in.principal import Principal, principal_of_session
from rally_mcp.sign_in.records import PrincipalRecord
from rally_mcp.web.bearer_challenge import BearerChallenge
from rally_mcp.web.request_limits import RequestLimits
from rally_mcp.web.responses import RequestRefused

_SESSION_HEADER = "session-id"

_BEARER = re.compile(r"bearer +([!-~]+) *", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, with what this request has read about them already."""

    key: str
    """Names the caller in limits and the audit log."""
    scopes: tuple[str, ...] | None = None
    """What an access token allows; None for a chat, which has no scopes."""
    client_id: str | None = None
    principal: Principal | None = field(default=None, repr=False)
    """A person; None for a machine."""
    record: PrincipalRecord | None = field(default=None, repr=False)
    machine: ClientRecord | None = field(default=None, repr=False)

    def has_scopes(self, needed: Collection[str]) -> bool:
        """Tell whether the caller may use a tool that needs these scopes."""
        return self.scopes is None or set(self.scopes).issuperset(needed)


@dataclass(frozen=True, slots=True)
class Callers:
    """Recognises callers: no read for a chat, one for an access token."""

    services: McpEndpoint
    challenge: BearerChallenge
    limits: RequestLimits

    async def identify(
        self, request: Request, missing: Callable[[], RequestRefused] | None = None
    ) -> Caller:
        """Return who is calling.

        `missing` makes the refusal of a request without a credential, by default a bare challenge.
        Raises RequestRefused: 400 for more than one credential, one that could be guessed or one
        in the URL, where logs would keep it; 401 for an access token that is worth nothing.
        Raises RateLimited.
        """
        try:
            caller = await self._recognised(request, missing or self._missing)
        except RequestRefused as refused:
            audit.write(AuditEvent.CREDENTIAL_REFUSED, principal=None, reason=refused.headline)
            raise
        self.limits.calls.take(caller.key)
        return caller

    async def _recognised(self, request: Request, missing: Callable[[], RequestRefused]) -> Caller:
        _check_address(request)
        session_ids = request.headers.getlist(_SESSION_HEADER)
        authorizations = request.headers.getlist("authorization")
        if len(session_ids) + len(authorizations) > 1:
            raise RequestRefused(
                400,
                "More than one credential",
                "Send exactly one: a Session-ID header, or Authorization: Bearer.",
            )
        if session_ids:
            return _chat(session_ids[0])
        if authorizations:
            return await self._bearer(request, authorizations[0])
        raise missing()

    async def _bearer(self, request: Request, authorization: str) -> Caller:
        form = _BEARER.fullmatch(authorization)
        if form is None:
            raise self.challenge.no_credential("Send Authorization: Bearer and an access token.")
        address = self.limits.address_of(request)
        caller = await self._of_grant(form[1]) or await self._of_machine(form[1])
        if caller is None:
            self.limits.refused_credentials.take(address)
            raise self.challenge.invalid_token(
                "The access token is unknown, expired or revoked; authorize again."
            )
        return caller

    async def _of_grant(self, access_token: str) -> Caller | None:
        found = await self.services.grant_bearers.find(access_token, self.services.settings.mcp_url)
        if found is None:
            return None
        return Caller(
            key=found.principal.key,
            scopes=found.scopes,
            client_id=found.client_id,
            principal=found.principal,
            record=found.record,
        )

    async def _of_machine(self, access_token: str) -> Caller | None:
        found = await self.services.machines.find(access_token, self.services.settings.mcp_url)
        if found is None:
            return None
        return Caller(
            key=found.client_id,
            scopes=found.scopes,
            client_id=found.client_id,
            machine=found.client,
        )

    def _missing(self) -> RequestRefused:
        return self.challenge.no_credential(
            "Sign in: this client gets an access token by OAuth, or sends a Session-ID header."
        )


def missing_session_id() -> RequestRefused:
    """Return REST's refusal of a request without a credential."""
    return RequestRefused(
        400,
        "Missing Session-ID header",
        "Send a Session-ID header with a random UUID (version 4) of your own; "
        "rally-mcp config prints a ready configuration.",
    )


def _chat(session_id: str) -> Caller:
    try:
        principal = principal_of_session(session_id)
    except InvalidInput as error:
        raise RequestRefused(400, "Invalid Session-ID header", error.message) from None
    return Caller(key=principal.key, principal=principal)


def _check_address(request: Request) -> None:
    """Refuse a credential in the URL (RFC 6750 §2.3 allows one, RFC 9700 §4.3.2 does not)."""
    names = {name.lower().replace("_", "-") for name in request.query_params}
    if _SESSION_HEADER in names:
        raise RequestRefused(
            400, "Session-ID in the URL", "Send the Session-ID in its header, never in the URL."
        )
    if "access-token" in names:
        raise RequestRefused(
            400, "Access token in the URL", "Send Authorization: Bearer, never a URL parameter."
        )
