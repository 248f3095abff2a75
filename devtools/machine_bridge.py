"""A local MCP server on stdin and stdout that passes every message on to a remote one.

Each message is an exchange of its own with the Streamable HTTP endpoint, which keeps no sessions:
what fails is answered with an error, and the next message begins afresh.
"""

import logging
import sys
from dataclasses import dataclass, field

import anyio
import httpx2
from anyio import CancelScope
from mcp.client.streamable_http import streamable_http_client
from mcp.server.stdio import stdio_server
from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    NAME_BEARING_METHODS,
    encode_header_value,
)
from mcp.shared.message import ClientMessageMetadata, SessionMessage
from mcp_types import (
    INTERNAL_ERROR,
    PROTOCOL_VERSION_META_KEY,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
)

from rally_mcp.errors import RallyMcpError

_TIMEOUT = httpx2.Timeout(30.0, read=150.0)
"""Seconds; a function itself gives a call up after 120."""


@dataclass(slots=True)
class Bridge:
    """Passes messages on to one endpoint."""

    url: str
    http: httpx2.AsyncClient
    _agreed_version: str = field(default="", init=False)
    """What `initialize` came to; messages of 2026-07-28 name their version themselves."""
    _in_flight: dict[RequestId, CancelScope] = field(default_factory=dict, init=False)

    async def answer(self, message: JSONRPCMessage) -> SessionMessage | None:
        """Pass a message on, and return the answer of a request that was not cancelled.

        A failure is an answer too, and is told on stderr.
        """
        if isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            # A stateless endpoint hears of it by the end of the HTTP request.
            request_id = (message.params or {}).get("requestId")
            if isinstance(request_id, str | int) and request_id in self._in_flight:
                self._in_flight[request_id].cancel()
            return None
        answer = None
        with CancelScope() as scope:
            if isinstance(message, JSONRPCRequest):
                self._in_flight[message.id] = scope
            try:
                answer = await self._exchange(message)
            except* (httpx2.HTTPError, RallyMcpError) as failures:
                answer = _failure(message, failures)
        if isinstance(message, JSONRPCRequest):
            self._in_flight.pop(message.id, None)
        return answer

    async def _exchange(self, message: JSONRPCMessage) -> SessionMessage | None:
        sent = SessionMessage(message, ClientMessageMetadata(headers=self._headers(message)))
        async with streamable_http_client(self.url, http_client=self.http) as (answers, endpoint):
            await endpoint.send(sent)
            if not isinstance(message, JSONRPCRequest):
                await endpoint.aclose()
            async for answer in answers:
                if isinstance(answer, SessionMessage) and _is_final(answer.message):
                    self._note_version(message, answer.message)
                    return answer
        return None

    def _headers(self, message: JSONRPCMessage) -> dict[str, str]:
        """Return the headers that repeat what the body says, as Streamable HTTP asks for."""
        if not isinstance(message, JSONRPCRequest | JSONRPCNotification):
            return {}
        parameters = message.params or {}
        meta = parameters.get("_meta")
        version = meta.get(PROTOCOL_VERSION_META_KEY) if isinstance(meta, dict) else None
        if not isinstance(version, str):
            agreed = self._agreed_version
            return {MCP_PROTOCOL_VERSION_HEADER: agreed} if agreed else {}
        headers = {MCP_PROTOCOL_VERSION_HEADER: version, MCP_METHOD_HEADER: message.method}
        name = parameters.get(NAME_BEARING_METHODS.get(message.method, ""))
        return headers | ({MCP_NAME_HEADER: encode_header_value(name)} if name else {})

    def _note_version(self, message: JSONRPCMessage, answer: JSONRPCMessage) -> None:
        if isinstance(message, JSONRPCRequest) and message.method == "initialize":
            result = answer.result if isinstance(answer, JSONRPCResponse) else {}
            self._agreed_version = str(result.get("protocolVersion", ""))


async def serve(url: str, authorization: httpx2.Auth) -> None:
    """Serve what is at `url` on stdin and stdout, until stdin ends and all is answered."""
    # A failure is told in one line of ours, not in the SDK's traces of where it was.
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    async with (
        httpx2.AsyncClient(auth=authorization, timeout=_TIMEOUT) as http,
        stdio_server() as (received, answers),
        answers,
        anyio.create_task_group() as tasks,
    ):
        bridge = Bridge(url, http)

        async def pass_on(message: JSONRPCMessage) -> None:
            if answer := await bridge.answer(message):
                await answers.send(answer)

        async for each in received:
            if isinstance(each, SessionMessage):
                tasks.start_soon(pass_on, each.message)
            else:
                print("rally-mcp: a line on stdin is not a JSON-RPC message.", file=sys.stderr)


def _is_final(message: JSONRPCMessage) -> bool:
    return isinstance(message, JSONRPCResponse | JSONRPCError)


def _failure(
    message: JSONRPCMessage, failures: BaseExceptionGroup[httpx2.HTTPError | RallyMcpError]
) -> SessionMessage | None:
    """Tell what failed, and return it as the answer of a request."""
    failure: BaseException = failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    known = failure.message if isinstance(failure, RallyMcpError) else ""
    reason = known or f"The server does not answer ({type(failure).__name__})."
    print(f"rally-mcp: {reason}", file=sys.stderr)
    if not isinstance(message, JSONRPCRequest):
        return None
    error = ErrorData(code=INTERNAL_ERROR, message=reason)
    return SessionMessage(JSONRPCError(jsonrpc="2.0", id=message.id, error=error))
