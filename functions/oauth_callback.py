"""Entry point of the Cloud Function oauth_callback."""

from typing import cast

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from rally_mcp.bootstrap.foundations import start
from rally_mcp.settings import Function
from rally_mcp.web import oauth_callback_app

app = start(Function.OAUTH_CALLBACK, oauth_callback_app.create)


@functions_framework.aio.http
async def oauth_callback(_: Request) -> Response:
    """Hand the request over: functions-framework calls whatever ASGI application it is given."""
    return cast("Response", app)
