"""What Rally's answers mean: an envelope, an error, or a reason to try again.

    429                   wait as told (briefly) and try again, reads and writes
    5xx, garbled answer   try again for reads; a write may have happened: say so
    200 with Errors       an error like any other; concurrency conflicts try again

A create is never sent twice unless Rally says that it did nothing (docs/rally-wsapi.md).
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from pydantic import ValidationError

from rally_mcp.errors import (
    Conflict,
    NotFound,
    PermissionDenied,
    RallyMcpError,
    RateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from rally_mcp.rally.models import Envelope
from rally_mcp.rally.refusals import refusal

IN_DOUBT = "Whether Rally carried it out is not known: look before you try again."
"""What a caller is told about a write whose answer was lost."""

_PATIENCE = 10
"""Seconds after which a caller may come back where Rally names none."""

_TIMED_OUT = {httpx.codes.GATEWAY_TIMEOUT, 524}
"""524 is what the content network in front of Rally says after five minutes (KB 125586)."""

NOT_ALLOWED_NETWORK = "is not within the allowed range"
"""Part of the sentence that Rally answers to addresses outside its allow-list."""


class TryAgain(Exception):
    """Worth another try after `pause` seconds; `error` is what the caller sees otherwise."""

    def __init__(self, error: RallyMcpError, pause: float) -> None:
        super().__init__(error.message)
        self.error = error
        self.pause = pause


class UnknownType(NotFound):
    """The tenant has no such type: WSAPI answers HTTP 404, in HTML."""


@dataclass(frozen=True, slots=True)
class WsapiRequest:
    """One request, which may be repeated if it only reads."""

    method: str
    url: str
    params: Mapping[str, str]
    body: Mapping[str, Any] | None

    @property
    def doubt(self) -> str:
        """What to say when nobody knows whether a write happened."""
        if self.method == "GET":
            return ""
        return IN_DOUBT

    def again(self, error: RallyMcpError, pause: float = 0) -> Exception:
        """Return what to raise: another try for a read, the error itself for a write."""
        return TryAgain(error, pause or jitter()) if self.method == "GET" else error


def read_answer(request: WsapiRequest, response: httpx.Response) -> Envelope:
    """Read an answer, which fails in its status, in its form or in its Errors."""
    _check_status(request, response)
    try:
        answer = response.json()
    except ValueError as error:
        garbled = UpstreamRejected(f"Rally's answer is not JSON. {request.doubt}".strip())
        raise request.again(garbled) from error
    try:
        envelope = Envelope.parse(answer)
    except ValidationError as error:
        unknown = f"Rally's answer has an unknown form. {request.doubt}"
        raise UpstreamRejected(unknown.strip()) from error
    if envelope.errors:
        refused = refusal(envelope.errors)
        # Rally wrote nothing when objects collide, so even a create may be sent again.
        raise TryAgain(refused, jitter()) if isinstance(refused, Conflict) else refused
    return envelope


def _check_status(request: WsapiRequest, response: httpx.Response) -> None:
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        seconds = _retry_after(response)
        limited = RateLimited(
            "Rally asks to slow down; try again later.", retry_after=max(1, round(seconds))
        )
        raise TryAgain(limited, seconds or jitter())
    if response.is_client_error and NOT_ALLOWED_NETWORK in response.text:
        raise PermissionDenied(
            "Rally does not admit this deployment's network address; "
            "a Rally subscription administrator can allow it."
        )
    if status in _TIMED_OUT:
        late = UpstreamTimeout(f"Rally took too long. {request.doubt}".strip())
        raise request.again(late)
    if response.is_server_error:
        seconds = _retry_after(response)
        down = UpstreamUnavailable(
            f"Rally is not available; try again later. {request.doubt}".strip(),
            retry_after=max(_PATIENCE, round(seconds)),
        )
        raise request.again(down, seconds)
    if status == httpx.codes.FORBIDDEN:
        raise PermissionDenied("Rally does not let you do that; check your permissions there.")
    if status == httpx.codes.NOT_FOUND:
        raise UnknownType("Rally does not know this kind of object.")
    if not response.is_success:
        raise UpstreamRejected(f"Rally answered with HTTP {status}.")


def _retry_after(response: httpx.Response) -> float:
    """Return Retry-After in seconds, 0 where there is none that can be read (RFC 9110 §10.2.3)."""
    value = response.headers.get("Retry-After", "")
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, (until - datetime.now(until.tzinfo)).total_seconds())


def jitter() -> float:
    """Return the seconds before another try where Rally names none."""
    return random.uniform(0.1, 0.5)  # noqa: S311 jitter, not a secret
