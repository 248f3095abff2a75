"""oauth_callback: takes the upstream's answer, exchanges the code, tells the person what next."""

import re

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from rally_mcp import bootstrap
from rally_mcp.bootstrap import Foundations
from rally_mcp.errors import UpstreamRejected
from rally_mcp.settings import Function
from rally_mcp.sign_in.states import StateRefused
from rally_mcp.web import browser
from rally_mcp.web.boundary import boundary
from rally_mcp.web.responses import RequestRefused, health

_STATE = re.compile(r"[A-Za-z0-9_-]{1,128}")
_LONGEST_CODE = 4096
"""Characters of an authorization code. Rally's have 40; RFC 6749 sets no bound."""


def create(base: Foundations) -> ASGIApp:
    """Return the function's ASGI application."""
    services = bootstrap.oauth_callback(base)

    async def callback(request: Request) -> Response:
        if not request.url.path.endswith("/callback"):
            raise HTTPException(404)
        browser.get_only(request)
        browser.refuse_duplicates(request)
        state, code, error = (request.query_params.get(n, "") for n in ("state", "code", "error"))
        if not state or not (code or error) or len(code) > _LONGEST_CODE:
            raise RequestRefused(
                400,
                "Missing authorization code or state parameter",
                "Start again from the chat: repeat your request and open the new link.",
            )
        if not _STATE.fullmatch(state):
            raise StateRefused(already_used=False)
        if error:
            declined = error == "access_denied"
            upstream = await services.completion.abandon(state, declined=declined)
            if declined:
                return browser.declined(request, upstream)
            # RFC 6749 §4.1.2.1 has further codes; none of their words is shown or logged.
            raise UpstreamRejected(f"{upstream} did not finish the sign-in.")
        return browser.signed_in(await services.completion.finish(state, code))

    async def answer_health(request: Request) -> Response:
        browser.get_only(request)
        return health(Function.OAUTH_CALLBACK)

    routes = Router(
        [
            Route("/health", answer_health, methods=browser.ANY_METHOD),
            Route("/callback/health", answer_health, methods=browser.ANY_METHOD),
            Route("/{path:path}", callback, methods=browser.ANY_METHOD),
        ]
    )
    return boundary(routes, browser.error_answer)
