"""The smallest Cloud Function there is: what starting costs without any product."""

import functions_framework.aio
from starlette.requests import Request


@functions_framework.aio.http
async def hello(_: Request) -> str:
    """Answer."""
    return "Hello"
