"""One request to Rally's WSAPI: the credential, the limits and the tries.

401, or 403 for the user himself   renew the token once, then give the sign-in up
no connection                      try again: nothing was sent
no answer                          try again for reads; a write may have happened: say so
an answer                          `rally.answers` tells what it means
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import WeakValueDictionary

import anyio
import httpx

from rally_mcp.access_tokens import AccessToken, AccessTokens
from rally_mcp.errors import UpstreamTimeout, UpstreamUnavailable
from rally_mcp.rally.answers import (
    NOT_ALLOWED_NETWORK,
    TryAgain,
    WsapiRequest,
    jitter,
    read_answer,
)
from rally_mcp.rally.models import Envelope

BASE_PATH = "/slm/webservice/v2.0"

MOST_AT_ONCE = 12
"""Requests in flight for one user; beyond it Rally queues them, slowly (KB 95713)."""

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
"""Seconds between two bytes. Rally answers most requests within one."""

LONGEST = 45.0
"""Seconds for a whole request: inside the 60 that Cloud Functions give an answer by default."""

_TRIES = 3
_LONGEST_PAUSE = 3.0
"""Seconds that a caller is kept waiting between two tries; a longer Retry-After is passed on."""


@dataclass(frozen=True, slots=True)
class RallyServer:
    """One Rally and what all callers of this instance share."""

    url: str
    token_header: Literal["ZSESSIONID", "Authorization"]
    http: Callable[[], httpx.AsyncClient]
    projects: tuple[str, ...] = ()
    """What may be touched, whoever asks; empty means all."""
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
        request = WsapiRequest(method, f"{self.server.url}{BASE_PATH}/{path}", params, body)
        access_token = await self.access_tokens.current()
        renewed = False
        tried = 0
        while True:
            try:
                response = await self._send(request, access_token)
                if not await self._is_refused(response, access_token):
                    return read_answer(request, response)
            except TryAgain as busy:
                tried += 1
                if tried >= _TRIES or busy.pause > _LONGEST_PAUSE:
                    raise busy.error from busy.__cause__
                await anyio.sleep(busy.pause)
                continue
            if renewed:
                await self.access_tokens.give_up(access_token)
            access_token, renewed = await self.access_tokens.renewed(access_token), True

    async def _send(self, request: "WsapiRequest", access_token: AccessToken) -> httpx.Response:
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
                raise TryAgain(unreached, jitter()) from error
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
        if NOT_ALLOWED_NETWORK in response.text:
            return False
        if response.status_code == httpx.codes.UNAUTHORIZED:
            return True
        # Some stacks answer 403 for a dead token, all answer it for a closed project: asking
        # for the user himself tells the two apart.
        own = WsapiRequest("GET", f"{self.server.url}{BASE_PATH}/user", {"fetch": "ObjectID"}, None)
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
