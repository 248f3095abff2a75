"""Request bodies: read whole, never more than 1 MiB."""

import re
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from rally_mcp.web.responses import RequestRefused

LARGEST_BODY = 1024 * 1024
"""Bytes. The longest description with every character escaped fits several times."""

LARGEST_FORM = 64 * 1024
"""Bytes. The longest client id and state fit several times."""

_MOST_FIELDS = 100


async def read_body(request: Request, largest: int = LARGEST_BODY) -> bytes:
    """Return the body. Raises RequestRefused (413) as soon as it is certain to be too large."""
    declared = request.headers.get("content-length", "0")
    if re.fullmatch(r"[0-9]{1,18}", declared) and int(declared) > largest:
        raise _too_large(largest)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > largest:
                raise _too_large(largest)
    except ClientDisconnect:
        raise RequestRefused(400, "Bad Request", "The body ended early; send it whole.") from None
    return bytes(body)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body once more, then whatever else comes."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


async def read_form(request: Request) -> list[tuple[str, str]]:
    """Return the fields of a posted form, in order, with every repetition.

    Raises RequestRefused for another media type (415), a larger body (413), or one that is no
    form (400).
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise RequestRefused(
            415, "Unsupported Media Type", "Send a form: application/x-www-form-urlencoded."
        )
    try:
        text = (await read_body(request, LARGEST_FORM)).decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise RequestRefused(400, "Bad Request", "The body is no form.") from None


def _too_large(largest: int) -> RequestRefused:
    return RequestRefused(
        413, "Content Too Large", f"The body may have {largest} bytes at most; send less at once."
    )
