"""Entry point of the Cloud Function auth_redirect."""

from typing import cast

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from rally_mcp.bootstrap.foundations import start
from rally_mcp.settings import Function
from rally_mcp.web import auth_redirect_app

app = start(Function.AUTH_REDIRECT, auth_redirect_app.create)


@functions_framework.aio.http
async def auth_redirect(_: Request) -> Response:
    """Hand the request over: functions-framework calls whatever ASGI application it is given."""
    return cast("Response", app)
