"""auth_redirect: sends the browser on to the upstream. Reads, writes nothing, knows no secret."""

import hmac
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from rally_mcp import audit, bootstrap
from rally_mcp.audit import AuditEvent
from rally_mcp.bootstrap import Foundations
from rally_mcp.settings import Function
from rally_mcp.sign_in.states import OpenState
from rally_mcp.web import browser
from rally_mcp.web.boundary import boundary, routed
from rally_mcp.web.responses import RequestRefused, health


def create(base: Foundations) -> ASGIApp:
    """Return the function's ASGI application."""
    services = bootstrap.auth_redirect(base)

    async def redirect(request: Request) -> Response:
        browser.get_only(request)
        parameters = browser.parameters(request)
        state = _state(parameters)
        _check_method(parameters)
        found = await services.states.find(state)
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

    async def answer_health(request: Request) -> Response:
        return health(request, Function.AUTH_REDIRECT)

    routes = routed(
        {
            "/auth": redirect,
            "/health": answer_health,
            "/auth/health": answer_health,
        }
    )
    return boundary(routes, browser.error_answer)


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
