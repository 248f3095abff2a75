"""The MCP endpoint: the SDK's server, stateless, for both protocol eras on one path.

functions-framework runs no lifespan and imports before it forks, so the SDK's session manager
starts with the first request, in a task that lives as long as the process.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http import check_accept_headers
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError
from pydantic_core import from_json
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from rally_mcp.bootstrap.mcp_endpoint import McpEndpoint
from rally_mcp.errors import GrantEnded
from rally_mcp.tools.context import ServerFacts
from rally_mcp.tools.toolset import Tool
from rally_mcp.web.body import LARGEST_BODY, read_body, replayed
from rally_mcp.web.credential import Caller, Callers
from rally_mcp.web.elicitation_ids import with_elicitation_ids
from rally_mcp.web.own_origin import OwnOrigin
from rally_mcp.web.responses import RequestRefused, method_not_allowed
from rally_mcp.web.tool_calls import require_scope
from rally_mcp.web.tool_server import ToolServer

_CALLER = "rally_mcp.caller"
_ENDED = "rally_mcp.grant_ended"


class NotJson(RequestRefused):
    """The body is not JSON at all."""

    def __init__(self) -> None:
        super().__init__(400, "Parse error", "The body must be one JSON-RPC message, as JSON.")


@dataclass(frozen=True, slots=True)
class _Running:
    """The session manager of one event loop, and the task that holds it open."""

    loop: asyncio.AbstractEventLoop
    manager: StreamableHTTPSessionManager
    started: asyncio.Event
    holder: asyncio.Task[None]

    @classmethod
    def begin(cls, loop: asyncio.AbstractEventLoop, server: Server[Any]) -> "_Running":
        """Start a session manager; requests wait for `started`."""
        manager = StreamableHTTPSessionManager(
            server, stateless=True, json_response=True, max_request_body_size=LARGEST_BODY
        )
        started = asyncio.Event()
        return cls(loop, manager, started, loop.create_task(_hold_open(manager, started)))


class McpProtocol:
    """An ASGI application that speaks MCP."""

    def __init__(
        self,
        services: McpEndpoint,
        callers: Callers,
        tools: Mapping[str, Tool[Any]],
        server: ServerFacts,
    ) -> None:
        self._callers = callers
        self._tools = tools
        self._tool_server = ToolServer(services, tools, server, _caller, _note_ended)
        self._own = OwnOrigin.of(services.settings.mcp_url)
        self._running: _Running | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises RequestRefused before MCP begins."""
        request = Request(scope, receive)
        if request.method != "POST":
            raise method_not_allowed("POST")
        self._own.check(request)
        caller = scope[_CALLER] = await self._callers.identify(request)
        _check_media_types(request)
        body = await read_body(request)
        self._check_scope(caller, _checked_message(body))
        manager = await self._manager()
        send = with_elicitation_ids(send)

        async def send_unless_ended(message: Message) -> None:
            # The SDK answers 200 to a call that found the sign-in over; the client must hear 401.
            if _ENDED not in scope:
                await send(message)

        await manager.handle_request(scope, replayed(body, receive), send_unless_ended)
        if _ENDED in scope:
            raise self._callers.challenge.invalid_token(scope[_ENDED])

    def _check_scope(self, caller: Caller, message: types.JSONRPCMessage) -> None:
        """Refuse a tool that the access token has no scope for, before MCP begins."""
        if not isinstance(message, types.JSONRPCRequest) or message.method != "tools/call":
            return
        tool = self._tools.get(str((message.params or {}).get("name")))
        if tool:
            require_scope(caller, tool, self._callers.challenge)

    async def _manager(self) -> StreamableHTTPSessionManager:
        loop = asyncio.get_running_loop()
        running = self._running
        if running is None or running.loop is not loop or running.holder.done():
            running = self._running = _Running.begin(loop, self._tool_server.server())
        await running.started.wait()
        return running.manager


def _checked_message(body: bytes) -> types.JSONRPCMessage:
    """Return the message, or refuse in one sentence what is none; the SDK's has a page of them."""
    try:
        document = from_json(body)
    except ValueError:
        raise NotJson from None
    try:
        message = types.jsonrpc_message_adapter.validate_python(document, by_name=False)
    except ValidationError:
        message = None
    # What is a request to one reader and an answer to another would pass by our checks, and a
    # request whose id is none would pass for a notification, its sender waiting for ever.
    is_ambiguous = (
        message is not None
        and "method" in document
        and (
            not document.keys().isdisjoint({"result", "error"})
            or (isinstance(message, types.JSONRPCNotification) and "id" in document)
        )
    )
    if message is None or is_ambiguous:
        raise RequestRefused(
            400, "Invalid Request", "The body must be one JSON-RPC 2.0 message, and no batch."
        )
    return message


def _check_media_types(request: Request) -> None:
    """Refuse in one sentence what the SDK would refuse without a word."""
    if not request.headers.get("content-type", "").lower().startswith("application/json"):
        raise RequestRefused(
            415, "Unsupported Media Type", "Send the message as Content-Type: application/json."
        )
    if "accept" not in request.headers:
        # RFC 9110 §12.5.1: without the header anything is acceptable. The SDK wants it said.
        request.scope["headers"] = [*request.scope["headers"], (b"accept", b"*/*")]
        return
    accepts_json, _ = check_accept_headers(request)
    if not accepts_json:
        raise RequestRefused(
            406, "Not Acceptable", "Send Accept: application/json, text/event-stream."
        )


async def _hold_open(manager: StreamableHTTPSessionManager, started: asyncio.Event) -> None:
    """Keep the manager's task group open: it must be entered and left in one task."""
    try:
        async with manager.run():
            started.set()
            await asyncio.Event().wait()
    finally:
        started.set()  # whoever waits gets an error, not an endless wait


def _caller(context: ServerRequestContext[Any]) -> Caller:
    caller: Caller = _request_of(context).scope[_CALLER]
    return caller


def _note_ended(context: ServerRequestContext[Any], ended: GrantEnded) -> None:
    _request_of(context).scope[_ENDED] = ended.message


def _request_of(context: ServerRequestContext[Any]) -> Request:
    if context.request is None:
        raise MCPError(types.INVALID_REQUEST, "Tools are called over HTTP.")
    request: Request = context.request
    return request
