"""What a browser on this machine finds: the way to an upstream's sign-in and back, nothing else."""

from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rally_mcp import __version__
from rally_mcp.bootstrap.foundations import Foundations
from rally_mcp.web import auth_redirect_app, browser, oauth_callback_app
from rally_mcp.web.boundary import boundary
from rally_mcp.web.own_origin import OwnOrigin
from rally_mcp.web.responses import get_or_head, json_answer

HEALTH = "/health"
FUNCTION = "stdio"

_LONGEST_CHALLENGE = 128


def create(
    base: Foundations, prove: Callable[[str], str], browser_returned: Callable[[], None]
) -> ASGIApp:
    """Return the listener's application, of three paths of the functions' applications.

    `prove` answers another process's challenge; `browser_returned` hears of each callback that
    was answered. A page whose name was re-pointed at this machine is refused by its Host.
    """
    own = OwnOrigin.of(base.settings.auth_url)
    to_upstream, from_upstream = auth_redirect_app.create(base), oauth_callback_app.create(base)

    async def callback(scope: Scope, receive: Receive, send: Send) -> None:
        await from_upstream(scope, receive, send)
        browser_returned()

    async def health(scope: Scope, receive: Receive, send: Send) -> None:
        await _health(Request(scope), prove)(scope, receive, send)

    applications: dict[str, ASGIApp] = {
        "/auth": to_upstream,
        urlsplit(base.settings.callback_url).path: callback,
        HEALTH: health,
    }

    async def of_this_machine(scope: Scope, receive: Receive, send: Send) -> None:
        own.check(Request(scope))
        application = applications.get(scope["path"])
        if application is None:
            raise HTTPException(404)
        await application(scope, receive, send)

    return boundary(of_this_machine, browser.error_answer)


def _health(request: Request, prove: Callable[[str], str]) -> Response:
    get_or_head(request)
    challenge = request.query_params.get("challenge", "")[:_LONGEST_CHALLENGE]
    answer = {"status": "ok", "function": FUNCTION, "version": __version__}
    return json_answer({**answer, "proof": prove(challenge)} if challenge else answer)
