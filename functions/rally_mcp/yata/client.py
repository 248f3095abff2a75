"""Todos at a YATA backend: the five requests of its REST interface, as one caller.

401                  another access token, once; then the connection is given up
400, 422             InvalidInput in the backend's words; 403, 404, 429 as they read
no connection        UpstreamUnavailable: nothing was sent
no answer            UpstreamTimeout; a write may have happened: say so
anything else        UpstreamUnavailable, UpstreamRejected

Nothing is sent again after an error: a second todo of the same title is worse than none.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import quote

import anyio
import httpx
from pydantic import ValidationError

from rally_mcp.access_tokens import AccessToken, AccessTokens, authorized
from rally_mcp.errors import (
    InvalidInput,
    NotFound,
    PermissionDenied,
    RateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from rally_mcp.yata.models import TODOS, Message, Refusal, Todo

TIMEOUT = httpx.Timeout(20.0, connect=5.0)
"""Seconds between two bytes."""

LONGEST = 45.0
"""Seconds for a whole request: inside the 60 that Cloud Functions give an answer by default."""

IN_DOUBT = "Whether YATA carried it out is not known: look before you try again."
"""What a caller is told about a write whose answer was lost."""

_PATIENCE = 10
"""Seconds after which a caller may come back where the backend names none."""

_REDIRECTS = {httpx.codes.TEMPORARY_REDIRECT, httpx.codes.PERMANENT_REDIRECT}
"""Those that keep method and body (RFC 9110 §15.4)."""

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class YataServer:
    """One YATA backend. `api_url` is where its API begins, without a slash at the end."""

    api_url: str
    http: Callable[[], httpx.AsyncClient]


@dataclass(frozen=True, slots=True)
class YataClient:
    """A YATA backend as one caller sees it. All methods raise errors of `rally_mcp.errors` alone.

    A todo's id is one segment of a path: not empty, `.` or `..`.
    """

    server: YataServer
    access_tokens: AccessTokens

    async def list_todos(self) -> list[Todo]:
        """Return every todo, in the backend's order."""
        request = self._request("GET", "")
        return _read(request, await self._answer(request), TODOS.validate_json)

    async def create_todo(self, title: str, description: str | None, *, completed: bool) -> Todo:
        """Create a todo; never twice."""
        members = {"title": title, "description": description, "completed": completed}
        return await self._todo(self._request("POST", "", members))

    async def get_todo(self, todo_id: str) -> Todo:
        """Return one todo. Raises NotFound."""
        return await self._todo(self._request("GET", todo_id))

    async def update_todo(self, todo_id: str, changes: Mapping[str, str | bool]) -> Todo:
        """Change the title, description or completed that is named. Raises NotFound."""
        return await self._todo(self._request("PUT", todo_id, changes))

    async def delete_todo(self, todo_id: str) -> str:
        """Delete a todo; return what the backend says of it, if anything. Raises NotFound."""
        request = self._request("DELETE", todo_id)
        response = await self._answer(request)
        if not response.content:
            return ""
        return _read(request, response, Message.model_validate_json).message

    def _request(
        self, method: str, todo_id: str, members: Mapping[str, str | bool | None] | None = None
    ) -> "_Request":
        # An empty id leaves the slash that the list's address ends in.
        url = f"{self.server.api_url}/todos/{quote(todo_id, safe='')}"
        return _Request(method, url, members)

    async def _todo(self, request: "_Request") -> Todo:
        return _read(request, await self._answer(request), Todo.model_validate_json)

    async def _answer(self, request: "_Request") -> httpx.Response:
        async def send(access_token: AccessToken) -> httpx.Response:
            response = await self._send(request, access_token)
            moved = request.moved(response)
            return await self._send(moved, access_token) if moved else response

        response = await authorized(self.access_tokens, send, _is_refused)
        _check_status(request, response)
        return response

    async def _send(self, request: "_Request", access_token: AccessToken) -> httpx.Response:
        try:
            with anyio.fail_after(LONGEST):
                return await self.server.http().request(
                    request.method,
                    request.url,
                    json=request.members,
                    headers={
                        "Accept": "application/json",
                        "Authorization": f"Bearer {access_token.value}",
                    },
                    timeout=TIMEOUT,
                )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise UpstreamUnavailable("YATA cannot be reached; try again later.") from error
        except (TimeoutError, httpx.TimeoutException) as error:
            raise UpstreamTimeout(request.told("YATA did not answer in time.")) from error
        except httpx.HTTPError as error:
            raise UpstreamUnavailable(request.told("YATA broke the connection.")) from error


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    members: Mapping[str, str | bool | None] | None

    def told(self, sentence: str) -> str:
        """Return what to say when nobody knows whether a write happened."""
        return sentence if self.method == "GET" else f"{sentence} {IN_DOUBT}"

    def moved(self, response: httpx.Response) -> "_Request | None":
        """Return the request to send where the backend wants a slash more or less at the end.

        Of the address that it names nothing else counts: the access token stays at `api_url`.
        """
        if response.status_code not in _REDIRECTS:
            return None
        url = self.url.removesuffix("/") if self.url.endswith("/") else f"{self.url}/"
        named = response.next_request
        return replace(self, url=url) if named and named.url.path == httpx.URL(url).path else None


def _is_refused(response: httpx.Response) -> bool:
    return response.status_code == httpx.codes.UNAUTHORIZED


def _read(
    request: _Request, response: httpx.Response, parse: Callable[[bytes], AnswerT]
) -> AnswerT:
    try:
        return parse(response.content)
    except ValidationError as error:
        raise UpstreamRejected(request.told("YATA's answer has an unknown form.")) from error


def _check_status(request: _Request, response: httpx.Response) -> None:
    match response.status_code:
        case httpx.codes.NOT_FOUND if not request.url.endswith("/"):
            raise NotFound("YATA has no todo of this ID; list_todos tells which there are.")
        case httpx.codes.FORBIDDEN:
            raise PermissionDenied(
                "YATA does not let this deployment do that; its administrator can check the "
                "scopes of the client there."
            )
        case httpx.codes.BAD_REQUEST | httpx.codes.UNPROCESSABLE_ENTITY:
            reason = Refusal.parse(response.content).reason
            raise InvalidInput(f"YATA refused this: {reason or 'it does not say why'}")
        case httpx.codes.TOO_MANY_REQUESTS:
            raise RateLimited(
                "YATA asks to slow down; try again later.", retry_after=_retry_after(response)
            )
        case httpx.codes.GATEWAY_TIMEOUT:
            raise UpstreamTimeout(request.told("YATA took too long."))
    if response.is_server_error:
        raise UpstreamUnavailable(
            request.told("YATA is not available; try again later."),
            retry_after=_retry_after(response),
        )
    if not response.is_success:
        raise UpstreamRejected(f"YATA answered with HTTP {response.status_code}.")


def _retry_after(response: httpx.Response) -> int:
    """Return Retry-After in seconds (RFC 9110 §10.2.3); a date counts as none."""
    told = response.headers.get("Retry-After", "")
    return int(told) if re.fullmatch(r"[0-9]{1,9}", told) else _PATIENCE
