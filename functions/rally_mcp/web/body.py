"""Request bodies: read whole, never more than 1 MiB."""

import re

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from rally_mcp.web.responses import RequestRefused

LARGEST_BODY = 1024 * 1024
"""Bytes. The longest description with every character escaped fits several times."""


async def read_body(request: Request) -> bytes:
    """Return the body. Raises RequestRefused (413) as soon as it is certain to be too large."""
    declared = request.headers.get("content-length", "0")
    if re.fullmatch(r"[0-9]{1,18}", declared) and int(declared) > LARGEST_BODY:
        raise _too_large()
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY:
                raise _too_large()
    except ClientDisconnect:
        raise RequestRefused(400, "Bad Request", "The body ended early; send it whole.") from None
    return bytes(body)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body once more, then whatever else comes."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _too_large() -> RequestRefused:
    return RequestRefused(
        413, "Content Too Large", "The body may have 1 MiB at most; send less at once."
    )
