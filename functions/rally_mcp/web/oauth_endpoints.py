"""The authorization server's endpoints for programs: JSON out, RFC 6749 §5.2's errors."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.authorization_server import registration, server_metadata
from rally_mcp.authorization_server.token_requests import TokenRequests
from rally_mcp.errors import (
    OAuthError,
    RallyMcpError,
    RateLimited,
    UpstreamUnavailable,
)
from rally_mcp.web.body import LARGEST_FORM, read_body, read_form
from rally_mcp.web.request_limits import RequestLimits
from rally_mcp.web.responses import (
    RequestRefused,
    get_or_head,
    json_answer,
    method_not_allowed,
)

PATHS = frozenset({"/token", "/register", "/revoke"})

_NOT_CACHED = {"Pragma": "no-cache"}
"""RFC 6749 §5.1 wants it beside Cache-Control."""


@dataclass(frozen=True, slots=True)
class OAuthEndpoints:
    """/token, /register, /revoke and the metadata."""

    requests: TokenRequests
    limits: RequestLimits
    issuer: str
    scopes: Sequence[str]

    async def token(self, request: Request) -> Response:
        """Answer a token request (RFC 6749 §3.2)."""
        form, authorization, address = await self._posted(request)
        return json_answer(
            await self.requests.token(form, authorization, address), headers=_NOT_CACHED
        )

    async def revoke(self, request: Request) -> Response:
        """Answer a revocation request (RFC 7009 §2): 200 whether or not there was anything."""
        form, authorization, address = await self._posted(request)
        await self.requests.revoke(form, authorization, address)
        return json_answer({}, headers=_NOT_CACHED)

    async def register(self, request: Request) -> Response:
        """Answer a registration request (RFC 7591 §3.1). Nothing is stored."""
        _post_only(request)
        self.limits.registrations.take(self.limits.address_of(request))
        answer = registration.register(await _document(request), tuple(self.scopes))
        audit.write(AuditEvent.CLIENT_REGISTERED, principal=None, client=str(answer["client_id"]))
        return json_answer(answer, 201, _NOT_CACHED)

    async def metadata(self, request: Request) -> Response:
        """Answer with the authorization server's metadata (RFC 8414)."""
        get_or_head(request)
        return json_answer(server_metadata.document(self.issuer, self.scopes))

    async def _posted(self, request: Request) -> tuple[Mapping[str, str], str | None, str]:
        """Return a request's form, Authorization header and address."""
        _post_only(request)
        address = self.limits.address_of(request)
        self.limits.token_requests.take(address)
        if request.query_params:
            raise OAuthError("invalid_request", "Parameters come in the body, not in the address.")
        authorizations = request.headers.getlist("authorization")
        if len(authorizations) > 1:
            raise OAuthError("invalid_request", "Send one Authorization header.")
        fields = await read_form(request)
        form = dict(fields)
        if len(form) != len(fields):
            raise OAuthError("invalid_request", "No parameter may come more than once.")
        # A parameter without a value counts as left out (RFC 6749 section 3.2).
        given = {name: value for name, value in form.items() if value}
        return given, authorizations[0] if authorizations else None, address


def error_answer(error: RallyMcpError) -> Response:
    """Return RFC 6749 §5.2's answer to an error."""
    code, headers = "server_error", dict(_NOT_CACHED)
    if isinstance(error, OAuthError):
        code = error.code
        headers |= error.headers
    elif isinstance(error, RequestRefused) and error.http_status < 500:  # noqa: PLR2004 RFC 9110 §15.5
        code = "invalid_request"
        headers |= error.headers
    elif isinstance(error, RateLimited | UpstreamUnavailable):
        code = "temporarily_unavailable"
        headers["Retry-After"] = str(error.retry_after)
    body = {"error": code, "error_description": error.message}
    is_media_type = error.http_status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    # RFC 6749 section 5.2 has 400 for every request that is wrong in form.
    return json_answer(body, 400 if is_media_type else error.http_status, headers)


async def _document(request: Request) -> object:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise RequestRefused(415, "Unsupported Media Type", "Send application/json.")
    try:
        return json.loads(await read_body(request, LARGEST_FORM))
    except (ValueError, RecursionError):
        raise OAuthError("invalid_client_metadata", "The body is no JSON object.") from None


def _post_only(request: Request) -> None:
    if request.method != "POST":
        raise method_not_allowed("POST")
