"""The edge of every function: one request's trace, and errors turned into answers.

Nothing that is raised below gets out of here, and no answer carries a traceback.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rally_mcp import logs
from rally_mcp.errors import ConfigurationError, RallyMcpError
from rally_mcp.web.responses import INTERNAL_ERROR, NO_STORE, RequestRefused

Endpoint = Callable[[Request], Awaitable[Response]] | ASGIApp

ErrorAnswer = Callable[[Request, RallyMcpError, str], Response]
"""Renders an error: (request, error, correlation id) -> answer."""


def routed(endpoints: Mapping[str, Endpoint]) -> ASGIApp:
    """Return an application of endpoints by path that answers and redirects nothing by itself.

    Every method reaches the endpoint, which refuses in one sentence what it does not take. A
    redirect to the path with or without a slash would be built from the Host header.
    """

    async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        raise HTTPException(404)

    routes = [Route(path, endpoint) for path, endpoint in endpoints.items()]
    for route in routes:
        route.methods = None
    return Router(routes, redirect_slashes=False, default=nothing_here)


def boundary(app: ASGIApp, error_answer: ErrorAnswer) -> ASGIApp:
    """Wrap a function's routes; `error_answer` decides what an error looks like there."""

    async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in NO_STORE.items():
                    headers.setdefault(name, value)
            await send(message)

        request = Request(scope)
        correlation_id = uuid.uuid4().hex
        with logs.bind_trace(request.headers):
            try:
                await app(scope, receive, watched)
            except Exception as raised:  # noqa: BLE001 the edge: nothing gets past it
                error = known(raised, correlation_id)
                if not started:
                    answer = error_answer(request, error, correlation_id)
                    await answer(scope, receive, send)

    return bounded


def known(raised: Exception, correlation_id: str | None = None) -> RallyMcpError:
    """Return the error to show for whatever was raised, and log what an operator must look at."""
    if isinstance(raised, HTTPException):
        return _refused(raised)
    if isinstance(raised, RallyMcpError) and not isinstance(raised, ConfigurationError):
        if raised.http_status >= 500:  # noqa: PLR2004 server errors, RFC 9110 §15.6
            logs.event(
                "WARNING",
                "upstream failure",
                error=type(raised).__name__,
                cause=type(raised.__cause__).__name__,
                correlation_id=correlation_id,
            )
        return raised
    logs.exception("unexpected failure", raised, correlation_id=correlation_id)
    return RequestRefused(500, "Internal Server Error", INTERNAL_ERROR)


def _refused(raised: HTTPException) -> RequestRefused:
    message = {
        404: "There is nothing at this path.",
        405: "This path does not take that method.",
    }.get(raised.status_code, raised.detail)
    return RequestRefused(raised.status_code, raised.detail, message, raised.headers)
