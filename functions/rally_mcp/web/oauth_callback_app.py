"""oauth_callback: takes the upstream's answer, exchanges the code, tells the person what next."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from rally_mcp.bootstrap.foundations import Foundations
from rally_mcp.bootstrap.oauth_callback import oauth_callback
from rally_mcp.settings import Function
from rally_mcp.sign_in.completion import BackToConsent, Declined, SignedIn
from rally_mcp.web import browser
from rally_mcp.web.boundary import boundary, routed
from rally_mcp.web.responses import RequestRefused, health

_LONGEST_CODE = 4096
"""Characters of an authorization code. Rally's have 40; RFC 6749 sets no bound."""


def create(base: Foundations) -> ASGIApp:
    """Return the function's ASGI application."""
    services = oauth_callback(base)

    async def callback(request: Request) -> Response:
        if not request.url.path.endswith("/callback"):
            raise RequestRefused(404, "Not Found", "There is nothing at this path.")
        browser.get_only(request)
        parameters = browser.parameters(request)
        state, code, error, issuer = (
            parameters.get(name, "") for name in ("state", "code", "error", "iss")
        )
        if not state or not (code or error) or len(code) > _LONGEST_CODE:
            raise RequestRefused(
                400,
                "Missing authorization code or state parameter",
                "Start again from the chat: repeat your request and open the new link.",
            )
        browser.check_state(state)
        outcome = (
            await services.completion.abandon(
                state, declined=error == "access_denied", issuer=issuer
            )
            if error
            else await services.completion.finish(state, code, issuer)
        )
        return _answer(request, outcome, base.settings.auth_url)

    async def answer_health(request: Request) -> Response:
        return health(request, Function.OAUTH_CALLBACK)

    routes = routed(
        {
            "/health": answer_health,
            "/callback/health": answer_health,
            "/{path:path}": callback,
        }
    )
    return boundary(routes, browser.error_answer)


def _answer(
    request: Request, outcome: SignedIn | Declined | BackToConsent, auth_url: str
) -> Response:
    match outcome:
        case BackToConsent(ticket):
            address = f"{auth_url}/authorize/complete?ticket={ticket}"
            return RedirectResponse(address, 303, headers=browser.REDIRECT_HEADERS)
        case Declined(upstream_title):
            return browser.declined(request, upstream_title)
        case _:
            return browser.signed_in(outcome)
