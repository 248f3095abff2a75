"""Gives URL elicitations an id on the wire, which protocol 2026-07-28 has no more.

The SDK leaves it out as that version's schema has it. Copilot CLI refuses an `input_required`
without it, as of 1.0.102; clients that go by the schema pass over the member.
"""

import hashlib
from typing import Any

from pydantic_core import from_json, to_json
from starlette.types import Message, Send

_SIGNS = (b'"input_required"', b'"url"')


def with_elicitation_ids(send: Send) -> Send:
    """Return `send` for an answer of one message, with ids added to what asks for a URL."""
    held: list[Message] = []

    async def send_with_ids(message: Message) -> None:
        if message["type"] == "http.response.start":
            held.append(message)
            return
        body = message.get("body", b"")
        if not message.get("more_body") and all(sign in body for sign in _SIGNS):
            body = _with_ids(body)
            message = {**message, "body": body}
            held[:] = [_of_length(start, len(body)) for start in held]
        while held:
            await send(held.pop(0))
        await send(message)

    return send_with_ids


def _with_ids(body: bytes) -> bytes:
    try:
        document: Any = from_json(body)
        requests = document["result"]["inputRequests"]
    except (ValueError, LookupError, TypeError):
        return body
    for asked in requests.values():
        params = asked["params"]
        if params.get("mode") == "url":
            params.setdefault("elicitationId", hashlib.sha256(params["url"].encode()).hexdigest())
    return to_json(document)


def _of_length(start: Message, length: int) -> Message:
    kept = [each for each in start["headers"] if each[0].lower() != b"content-length"]
    return {**start, "headers": [*kept, (b"content-length", str(length).encode())]}
