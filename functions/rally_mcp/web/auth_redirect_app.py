"""auth_redirect: sends the browser on to the upstream. Reads, writes nothing, knows no secret."""

import hmac
import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from rally_mcp import audit, bootstrap
from rally_mcp.audit import AuditEvent
from rally_mcp.bootstrap import Foundations
from rally_mcp.settings import Function
from rally_mcp.sign_in.states import OpenState, StateRefused
from rally_mcp.web import browser
from rally_mcp.web.boundary import boundary
from rally_mcp.web.responses import RequestRefused, health

_STATE = re.compile(r"[A-Za-z0-9_-]{1,128}")


def create(base: Foundations) -> ASGIApp:
    """Return the function's ASGI application."""
    services = bootstrap.auth_redirect(base)

    async def redirect(request: Request) -> Response:
        browser.get_only(request)
        found = await services.states.find(_state(request))
        _check_challenge(request.query_params, found)
        audit.write(
            AuditEvent.SIGN_IN_REDIRECTED,
            principal=found.record.principal,
            upstream=found.provider.name,
        )
        return RedirectResponse(
            found.provider.authorization_url(request.query_params["state"], found.code_challenge),
            headers=browser.REDIRECT_HEADERS,
        )

    async def answer_health(request: Request) -> Response:
        browser.get_only(request)
        return health(Function.AUTH_REDIRECT)

    routes = Router(
        [
            Route("/auth", redirect, methods=browser.ANY_METHOD),
            Route("/health", answer_health, methods=browser.ANY_METHOD),
            Route("/auth/health", answer_health, methods=browser.ANY_METHOD),
        ]
    )
    return boundary(routes, browser.error_answer)


def _state(request: Request) -> str:
    browser.refuse_duplicates(request)
    state = request.query_params.get("state", "")
    if not state:
        raise RequestRefused(
            400, "Missing state parameter", "Open the link exactly as the chat shows it."
        )
    if not _STATE.fullmatch(state):
        raise StateRefused(already_used=False)
    return state


def _check_challenge(params: Mapping[str, str], found: OpenState) -> None:
    """Refuse a link whose PKCE parameters are not those of the sign-in; it may carry none."""
    challenge, method = params.get("code_challenge"), params.get("code_challenge_method")
    if challenge is None and method is None:
        return
    # RFC 7636 §4.3: a missing method means plain, which is refused like any other.
    if method != "S256":
        raise browser.MethodUnsupported
    if not hmac.compare_digest((challenge or "").encode(), found.code_challenge.encode()):
        raise RequestRefused(
            400,
            "Invalid code_challenge - does not match stored code_verifier",
            "Open the link exactly as the chat shows it.",
        )
