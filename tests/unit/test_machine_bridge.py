"""What `rally-mcp connect` makes of messages: the request that each becomes, and its answer."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import httpx2
import pytest
from mcp_types import JSONRPCError, JSONRPCMessage, JSONRPCResponse, jsonrpc_message_adapter

from devtools.machine_bridge import Bridge
from rally_mcp.errors import RallyMcpError
from tests.fixtures.raw_mcp import LEGACY, MODERN, message_of

URL = "https://mcp.example.com/mcp"

Answering = Callable[[httpx2.Request], Awaitable[httpx2.Response]]


class Endpoint(httpx2.AsyncBaseTransport):
    """An MCP endpoint that keeps what it was sent, and answers as it is told."""

    def __init__(self) -> None:
        self.requests: list[httpx2.Request] = []
        self.answering: Answering = self.echo

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return await self.answering(request)

    async def echo(self, request: httpx2.Request) -> httpx2.Response:
        """Answer with the method, and with the version that was asked for."""
        message = json.loads(request.content)
        if "id" not in message:
            return httpx2.Response(202, request=request)
        version = message.get("params", {}).get("protocolVersion")
        result = {"method": message["method"], "protocolVersion": version}
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        return httpx2.Response(200, json=answer, request=request)

    async def fail(self, request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("nobody there", request=request)

    async def refuse(self, request: httpx2.Request) -> httpx2.Response:
        raise RallyMcpError("The client has no access token.")


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
async def bridge(endpoint: Endpoint) -> AsyncIterator[Bridge]:
    async with httpx2.AsyncClient(transport=endpoint) as http:
        yield Bridge(URL, http)


def message(era: str, method: str, **params: Any) -> JSONRPCMessage:
    return jsonrpc_message_adapter.validate_python(message_of(era, method, params))


def notification(method: str, **params: Any) -> JSONRPCMessage:
    members = {"jsonrpc": "2.0", "method": method, "params": params}
    return jsonrpc_message_adapter.validate_python(members)


async def test_a_message_arrives_as_it_was_and_so_does_its_answer(
    bridge: Bridge, endpoint: Endpoint
) -> None:
    sent = message_of(LEGACY, "tools/call", {"name": "get_rally_user", "arguments": {"ä": [1.5]}})

    answer = await bridge.answer(jsonrpc_message_adapter.validate_python(sent))

    [request] = endpoint.requests
    assert json.loads(request.content) == sent
    assert isinstance(answer.message, JSONRPCResponse)
    assert (answer.message.id, answer.message.result["method"]) == (1, "tools/call")


async def test_a_message_of_the_stateless_era_is_named_in_the_headers_too(
    bridge: Bridge, endpoint: Endpoint
) -> None:
    await bridge.answer(message(MODERN, "tools/call", name="get_rally_user"))
    await bridge.answer(message(MODERN, "tools/call", name="größe"))

    named, encoded = (request.headers for request in endpoint.requests)
    assert (named["mcp-protocol-version"], named["mcp-method"]) == (MODERN, "tools/call")
    assert named["mcp-name"] == "get_rally_user"
    assert encoded["mcp-name"] == "=?base64?Z3LDtsOfZQ==?="


async def test_a_message_of_the_older_era_has_the_version_that_was_agreed_on(
    bridge: Bridge, endpoint: Endpoint
) -> None:
    await bridge.answer(message(LEGACY, "initialize", protocolVersion=LEGACY))
    await bridge.answer(notification("notifications/initialized"))
    await bridge.answer(message(LEGACY, "tools/list"))

    versions = [request.headers.get("mcp-protocol-version") for request in endpoint.requests]
    assert versions == [None, LEGACY, LEGACY]


async def test_a_notification_is_passed_on_and_not_answered(
    bridge: Bridge, endpoint: Endpoint
) -> None:
    answer = await bridge.answer(notification("notifications/initialized"))

    assert answer is None
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("failure", "reason"),
    [("fail", "does not answer (ConnectError)"), ("refuse", "has no access token")],
)
async def test_a_failure_is_an_answer_and_the_next_message_begins_afresh(
    bridge: Bridge, endpoint: Endpoint, failure: str, reason: str, capsys
) -> None:
    endpoint.answering = getattr(endpoint, failure)
    failed = await bridge.answer(message(MODERN, "tools/list"))
    endpoint.answering = endpoint.echo
    answer = await bridge.answer(message(MODERN, "tools/list"))

    assert isinstance(failed.message, JSONRPCError)
    assert failed.message.id == 1
    assert reason in failed.message.error.message
    assert reason in capsys.readouterr().err
    assert isinstance(answer.message, JSONRPCResponse)


async def test_a_request_that_is_cancelled_ends_at_once_and_is_not_answered(
    bridge: Bridge, endpoint: Endpoint
) -> None:
    arrived, ended = anyio.Event(), anyio.Event()

    async def never(request: httpx2.Request) -> httpx2.Response:
        arrived.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    endpoint.answering = never
    answers = []

    async def ask() -> None:
        answers.append(await bridge.answer(message(MODERN, "tools/call", name="slow")))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await arrived.wait()
            await bridge.answer(notification("notifications/cancelled", requestId=1))

    assert ended.is_set()
    assert answers == [None]
    assert len(endpoint.requests) == 1


async def test_requests_do_not_wait_for_each_other(bridge: Bridge, endpoint: Endpoint) -> None:
    both = anyio.Event()

    async def when_both_are_there(request: httpx2.Request) -> httpx2.Response:
        if len(endpoint.requests) == 2:
            both.set()
        await both.wait()
        return await endpoint.echo(request)

    endpoint.answering = when_both_are_there

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bridge.answer, message(MODERN, "tools/list"))
            tasks.start_soon(bridge.answer, message(MODERN, "server/discover"))

    assert len(endpoint.requests) == 2


@pytest.mark.parametrize("request_id", [[1], {}, None, 7, "unknown"])
async def test_a_cancellation_of_nothing_is_passed_over(bridge: Bridge, request_id) -> None:
    cancelled = message(LEGACY, "notifications/cancelled", requestId=request_id)
    notification = jsonrpc_message_adapter.validate_python(
        {key: value for key, value in cancelled.model_dump(by_alias=True).items() if key != "id"}
    )

    assert await bridge.answer(notification) is None
    assert await bridge.answer(message(LEGACY, "ping")) is not None
