"""One request to Rally's WSAPI: credential, limits, retries, and what its answers mean.

    401, or 403 for the user himself    renew the token once, then give the sign-in up
    429                                 wait as told (briefly) and try again, reads and writes
    5xx, no answer, cut-off answer      try again for reads; a write may have happened: say so
    200 with Errors                     an error like any other; concurrency conflicts try again

A create is never sent twice unless Rally says that it did nothing (docs/rally-wsapi.md).
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from weakref import WeakValueDictionary

import anyio
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
from rally_mcp.rally.access import AccessToken, AccessTokens
from rally_mcp.rally.models import Envelope
from rally_mcp.rally.refusals import refusal

BASE_PATH = "/slm/webservice/v2.0"

IN_DOUBT = "Whether Rally carried it out is not known: look before you try again."
"""What a caller is told about a write whose answer was lost."""

MOST_AT_ONCE = 12
"""Requests in flight for one user; beyond it Rally queues them, slowly (KB 95713)."""

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
"""Seconds between two bytes. Rally answers most requests within one."""

LONGEST = 45.0
"""Seconds for a whole request: inside the 60 that Cloud Functions give an answer by default."""

_TRIES = 3
_PATIENCE = 10
"""Seconds after which a caller may come back where Rally names none."""

_LONGEST_PAUSE = 3.0
"""Seconds that a caller is kept waiting between two tries; a longer Retry-After is passed on."""

_TIMED_OUT = {httpx.codes.GATEWAY_TIMEOUT, 524}
"""524 is what the content network in front of Rally says after five minutes (KB 125586)."""

_NOT_ALLOWED_NETWORK = "is not within the allowed range"


class _Busy(Exception):
    """Worth another try after `pause` seconds; `error` is what the caller sees otherwise."""

    def __init__(self, error: RallyMcpError, pause: float) -> None:
        super().__init__(error.message)
        self.error = error
        self.pause = pause


class UnknownType(NotFound):
    """The tenant has no such type: WSAPI answers HTTP 404, in HTML."""


@dataclass(frozen=True, slots=True)
class RallyServer:
    """One Rally and what all callers of this instance share."""

    url: str
    token_header: Literal["ZSESSIONID", "Authorization"]
    http: Callable[[], httpx.AsyncClient]
    limits: WeakValueDictionary[str, anyio.Semaphore] = field(default_factory=WeakValueDictionary)

    def limit(self, user_id: str) -> anyio.Semaphore:
        """Return the semaphore that holds a user to MOST_AT_ONCE requests on this instance."""
        limit = self.limits.get(user_id)
        if limit is None:
            limit = self.limits[user_id] = anyio.Semaphore(MOST_AT_ONCE)
        return limit


@dataclass(frozen=True, slots=True)
class Wsapi:
    """WSAPI as one caller. Every method raises errors of `rally_mcp.errors` alone."""

    server: RallyServer
    access_tokens: AccessTokens

    async def get(self, path: str, params: Mapping[str, str]) -> Envelope:
        """Read. `path` is relative, as in `hierarchicalrequirement`."""
        return await self._request("GET", path, params, None)

    async def post(self, path: str, params: Mapping[str, str], body: Mapping[str, Any]) -> Envelope:
        """Write, once."""
        return await self._request("POST", path, params, body)

    async def _request(
        self, method: str, path: str, params: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> Envelope:
        request = _Request(method, f"{self.server.url}{BASE_PATH}/{path}", params, body)
        access_token = await self.access_tokens.current()
        renewed = False
        tried = 0
        while True:
            try:
                response = await self._send(request, access_token)
                if not await self._is_refused(response, access_token):
                    return _envelope(request, response)
            except _Busy as busy:
                tried += 1
                if tried >= _TRIES or busy.pause > _LONGEST_PAUSE:
                    raise busy.error from busy.__cause__
                await anyio.sleep(busy.pause)
                continue
            if renewed:
                await self.access_tokens.give_up(access_token)
            access_token, renewed = await self.access_tokens.renewed(access_token), True

    async def _send(self, request: "_Request", access_token: AccessToken) -> httpx.Response:
        async with self.server.limit(access_token.user_id):
            try:
                with anyio.fail_after(LONGEST):
                    return await self.server.http().request(
                        request.method,
                        request.url,
                        params=request.params,
                        json=request.body,
                        headers=self._headers(access_token),
                        timeout=TIMEOUT,
                    )
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                unreached = UpstreamUnavailable("Rally cannot be reached; try again later.")
                raise _Busy(unreached, _pause()) from error
            except (TimeoutError, httpx.TimeoutException) as error:
                late = UpstreamTimeout(f"Rally did not answer in time. {request.doubt}".strip())
                raise late from error
            except httpx.HTTPError as error:
                cut = UpstreamUnavailable(f"Rally broke the connection. {request.doubt}".strip())
                raise request.again(cut) from error

    async def _is_refused(self, response: httpx.Response, access_token: AccessToken) -> bool:
        """Tell whether Rally refused the token, not just this request."""
        if response.status_code not in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            return False
        if _NOT_ALLOWED_NETWORK in response.text:
            return False
        if response.status_code == httpx.codes.UNAUTHORIZED:
            return True
        # Some stacks answer 403 for a dead token, all answer it for a closed project: asking
        # for the user himself tells the two apart.
        own = _Request("GET", f"{self.server.url}{BASE_PATH}/user", {"fetch": "ObjectID"}, None)
        probe = await self._send(own, access_token)
        return probe.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}

    def _headers(self, access_token: AccessToken) -> dict[str, str]:
        header = self.server.token_header
        value = access_token.value
        return {
            "Accept": "application/json",
            "X-RallyIntegrationName": "rally-mcp",
            header: f"Bearer {value}" if header == "Authorization" else value,
        }


@dataclass(frozen=True, slots=True)
class _Request:
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
        return _Busy(error, pause or _pause()) if self.method == "GET" else error


def _envelope(request: _Request, response: httpx.Response) -> Envelope:
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
        raise _Busy(refused, _pause()) if isinstance(refused, Conflict) else refused
    return envelope


def _check_status(request: _Request, response: httpx.Response) -> None:
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        seconds = _retry_after(response)
        limited = RateLimited(
            "Rally asks to slow down; try again later.", retry_after=max(1, round(seconds))
        )
        raise _Busy(limited, seconds or _pause())
    if response.is_client_error and _NOT_ALLOWED_NETWORK in response.text:
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


def _pause() -> float:
    return random.uniform(0.1, 0.5)  # noqa: S311 jitter, not a secret
