"""auth_redirect: sends browsers on to the upstream, and is the authorization server.

It knows no secret of the deployment and calls no upstream.
"""

import hmac
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.authorization_server.document_fetch import DocumentFetch
from rally_mcp.bootstrap.auth_redirect import AuthRedirect, auth_redirect
from rally_mcp.bootstrap.foundations import Foundations
from rally_mcp.errors import RallyMcpError
from rally_mcp.settings import Function
from rally_mcp.sign_in.states import OpenState
from rally_mcp.web import browser, oauth_endpoints
from rally_mcp.web.boundary import Endpoint, boundary, routed
from rally_mcp.web.consent_endpoint import ConsentEndpoint
from rally_mcp.web.oauth_endpoints import OAuthEndpoints
from rally_mcp.web.request_limits import RequestLimits
from rally_mcp.web.responses import RequestRefused, health


def create(base: Foundations, fetch: DocumentFetch | None = None) -> ASGIApp:
    """Return the function's ASGI application; `fetch` stands in for the Internet in tests."""
    services = auth_redirect(base, fetch)
    settings = services.settings
    limits = RequestLimits.of(settings, base.clock)
    oauth = OAuthEndpoints(
        services.token_requests, limits, settings.auth_url, tuple(base.permissions)
    )

    async def answer_health(request: Request) -> Response:
        return health(request, Function.AUTH_REDIRECT)

    routes = routed(
        {
            "/auth": _redirection(base),
            **_consent(base, services, limits),
            "/token": oauth.token,
            "/register": oauth.register,
            "/revoke": oauth.revoke,
            "/.well-known/oauth-authorization-server": oauth.metadata,
            "/.well-known/openid-configuration": oauth.metadata,
            "/health": answer_health,
            "/auth/health": answer_health,
        }
    )
    return boundary(routes, _error_answer)


def _redirection(base: Foundations) -> Endpoint:
    """Return the endpoint that sends a chat's sign-in on to the upstream."""

    async def redirect(request: Request) -> Response:
        browser.get_only(request)
        parameters = browser.parameters(request)
        state = _state(parameters)
        _check_method(parameters)
        found = await base.states.find(state)
        _check_challenge(parameters, found)
        audit.write(
            AuditEvent.SIGN_IN_REDIRECTED,
            principal=found.record.principal,
            upstream=found.provider.name,
        )
        return RedirectResponse(
            found.provider.authorization_url(state, found.code_challenge),
            status_code=302,
            headers=browser.REDIRECT_HEADERS,
        )

    return redirect


def _consent(
    base: Foundations, services: AuthRedirect, limits: RequestLimits
) -> Mapping[str, Endpoint]:
    """Return the endpoints that people consent at, as far as there is something to sign in to."""
    if services.consents is None:
        return {"/authorize": _nothing_to_sign_in_to}
    settings = services.settings
    consent = ConsentEndpoint(
        requests=services.authorization_requests,
        consents=services.consents,
        release=services.code_release,
        limits=limits,
        auth_url=settings.auth_url,
        permissions=base.permissions,
        chain_urls=(services.consents.provider.authorization_endpoint, settings.callback_url),
    )
    return {"/authorize": consent.authorize, "/authorize/complete": consent.complete}


async def _nothing_to_sign_in_to(request: Request) -> Response:
    del request
    raise RequestRefused(
        404,
        "Nothing to sign in to",
        "This deployment serves machine clients alone: no upstream of it is one that people sign "
        "in to.",
    )


def _error_answer(request: Request, error: RallyMcpError, correlation_id: str) -> Response:
    """Return RFC 6749's JSON where programs ask, and what a browser shows elsewhere."""
    if request.url.path in oauth_endpoints.PATHS:
        return oauth_endpoints.error_answer(error)
    return browser.error_answer(request, error, correlation_id)


def _state(parameters: Mapping[str, str]) -> str:
    state = parameters.get("state", "")
    if not state:
        raise RequestRefused(
            400, "Missing state parameter", "Open the link exactly as the chat shows it."
        )
    browser.check_state(state)
    return state


def _check_method(parameters: Mapping[str, str]) -> None:
    """Refuse any method but S256. RFC 7636 §4.3: a missing one means plain."""
    given = "code_challenge" in parameters or "code_challenge_method" in parameters
    if given and parameters.get("code_challenge_method") != "S256":
        raise browser.MethodUnsupported


def _check_challenge(parameters: Mapping[str, str], found: OpenState) -> None:
    """Refuse a challenge that is not the one of the sign-in; a link may carry none."""
    if "code_challenge_method" not in parameters:
        return
    challenge = parameters.get("code_challenge", "")
    if not hmac.compare_digest(challenge.encode(), found.code_challenge.encode()):
        raise RequestRefused(
            400,
            "Invalid code_challenge - does not match stored code_verifier",
            "Open the link exactly as the chat shows it.",
        )
